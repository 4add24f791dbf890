package main

import (
	"errors"
	"io"
	"time"

	pb "cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// StreamingPull.

func (b *broker) StreamingPull(st pb.Subscriber_StreamingPullServer) error {
	req, err := st.Recv()
	if err != nil {
		return err
	}
	if d := req.StreamAckDeadlineSeconds; d < 10 || d > 600 {
		return invalid("Invalid stream_ack_deadline_seconds %d: must be 10 to 600", d)
	}
	b.mu.Lock()
	s, err := b.pullable(req.Subscription)
	if err != nil {
		b.mu.Unlock()
		return err
	}
	c := s.attach(&consumer{
		deadline: time.Duration(req.StreamAckDeadlineSeconds) * time.Second,
		maxMsgs:  req.MaxOutstandingMessages, maxBytes: req.MaxOutstandingBytes,
	})
	b.mu.Unlock()
	defer func() {
		b.mu.Lock()
		s.detach(c)
		b.mu.Unlock()
	}()
	if err := st.SendHeader(nil); err != nil { // clients wait for it
		return err
	}
	recvErr := make(chan error, 1)
	go func() {
		for {
			req, err := st.Recv()
			if err != nil {
				recvErr <- err
				return
			}
			b.mu.Lock()
			s.update(req.AckIds, -1)
			for i, id := range req.ModifyDeadlineAckIds {
				if i < len(req.ModifyDeadlineSeconds) {
					s.update([]string{id}, req.ModifyDeadlineSeconds[i])
				}
			}
			if d := req.StreamAckDeadlineSeconds; d >= 10 && d <= 600 {
				c.deadline = time.Duration(d) * time.Second
			}
			c.ping = true // answer keep-alives
			c.signal()
			b.mu.Unlock()
		}
	}()
	var end <-chan time.Time
	if b.cfg.streamLifetime > 0 {
		end = time.After(b.cfg.streamLifetime)
	}
	for {
		if err := st.Context().Err(); err != nil { // take nothing for a client that has gone
			return err
		}
		b.mu.Lock()
		res := &pb.StreamingPullResponse{
			ReceivedMessages: c.take(1000),
			SubscriptionProperties: &pb.StreamingPullResponse_SubscriptionProperties{
				ExactlyOnceDeliveryEnabled: s.pb.EnableExactlyOnceDelivery,
				MessageOrderingEnabled:     s.pb.EnableMessageOrdering,
			},
		}
		send, stopped := len(res.ReceivedMessages) > 0 || c.ping, c.err
		c.ping = false
		b.mu.Unlock()
		if stopped != nil {
			return stopped
		}
		if send {
			if err := st.Send(res); err != nil {
				b.mu.Lock()
				for _, m := range res.ReceivedMessages { // not delivered
					if it := s.leases[m.AckId]; it != nil {
						it.attempts--
						s.redeliver(it, 0)
					}
				}
				b.mu.Unlock()
				return err
			}
			if len(res.ReceivedMessages) > 0 {
				continue
			}
		}
		select {
		case <-c.wake:
		case <-end:
			return status.Error(codes.Unavailable, "The service was unable to fulfill your request. Please try again.")
		case err := <-recvErr:
			if errors.Is(err, io.EOF) {
				return nil // the client has half-closed
			}
			return err
		}
	}
}
