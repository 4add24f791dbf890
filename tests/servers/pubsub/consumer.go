package main

import (
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Who takes deliveries.

func (s *subscription) attach(c *consumer) *consumer {
	c.sub, c.wake = s, make(chan struct{}, 1)
	if c.deadline == 0 {
		c.deadline = time.Duration(s.pb.AckDeadlineSeconds) * time.Second
	}
	s.consumers[c] = struct{}{}
	return c
}

// detach leaves c's leases running: as with the real service they end by ack,
// nack or expiry, not with the stream.
func (s *subscription) detach(c *consumer) {
	c.gone = true
	delete(s.consumers, c)
	for l, ok := c.ready.pop(); ok; l, ok = c.ready.pop() {
		l.queued = false
		s.offer(l)
	}
}

// stop ends all streams of a subscription that goes away.
func (s *subscription) stop(code codes.Code) {
	if s.stopPush != nil {
		s.stopPush()
		s.stopPush = nil
	}
	for c := range s.consumers {
		c.err = status.Errorf(code, "Subscription %s is gone", s.pb.Name)
		c.signal()
	}
}
