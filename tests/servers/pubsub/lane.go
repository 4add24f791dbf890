package main

import (
	"strconv"
	"time"

	pb "cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
)

// What is delivered next, and to whom.

func (s *subscription) add(m *message) {
	it := &item{message: m, sub: s}
	s.log = append(s.log, it)
	key := m.pb.OrderingKey
	if !s.pb.EnableMessageOrdering {
		key = ""
	}
	l := s.lanes[key]
	if l == nil {
		l = &lane{key: key}
		if key != "" {
			s.lanes[key] = l
		}
	}
	it.lane = l
	l.items = append(l.items, it)
	s.offer(l)
}

// offer queues a lane that has something to deliver.
func (s *subscription) offer(l *lane) {
	if l.queued || l.next >= len(l.items) || !l.blocked.IsZero() {
		return
	}
	if o := l.owner; o != nil {
		// The key sticks to the consumer that has its earlier messages. If that
		// one is gone, the lane waits until they are acked or their leases end.
		if !o.gone && !(o.serial && l.next > 0) {
			l.queued = true
			o.ready.push(l)
			o.signal()
		}
		return
	}
	l.queued = true
	s.ready.push(l)
	for c := range s.consumers {
		c.signal()
	}
}

func (c *consumer) signal() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// take leases up to max messages (about 1 MiB of them) to c, within its flow control.
func (c *consumer) take(max int) (out []*pb.ReceivedMessage) {
	s, now, bytes := c.sub, time.Now(), int64(0)
	for len(out) < max && bytes < 1<<20 && (c.maxMsgs <= 0 || c.msgs < c.maxMsgs) && (c.maxBytes <= 0 || c.bytes < c.maxBytes) {
		l, ok := c.ready.pop()
		if !ok {
			l, ok = s.ready.pop()
		}
		if !ok {
			break
		}
		l.queued = false
		if l.next >= len(l.items) || !l.blocked.IsZero() || l.owner != nil && l.owner != c {
			s.offer(l) // its state changed while queued
			continue
		}
		it := l.items[l.next]
		l.next++
		s.b.grants++
		it.attempts++
		it.acked, it.holder = false, c
		it.ackID = s.b.cfg.nonce + strconv.FormatUint(s.b.grants, 36)
		s.leases[it.ackID] = it
		s.b.timers.set(it, now.Add(c.deadline))
		c.msgs++
		c.bytes += it.size
		bytes += it.size
		if l.key != "" {
			l.owner = c
		}
		s.offer(l)
		rm := &pb.ReceivedMessage{AckId: it.ackID, Message: it.pb}
		if s.pb.DeadLetterPolicy != nil {
			rm.DeliveryAttempt = it.attempts
		}
		out = append(out, rm)
	}
	return out
}
