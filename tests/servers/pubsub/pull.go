package main

import (
	"context"
	"time"

	pb "cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
)

// Acknowledging, extending and pulling: the delivery part of the Subscriber service.

// update acks (seconds < 0), nacks (0) or extends leases. Ack IDs that hold no
// lease are ignored, except that exactly-once subscriptions report them.
func (s *subscription) update(ackIDs []string, seconds int32) error {
	bad := map[string]string{}
	for _, id := range ackIDs {
		it := s.leases[id]
		switch {
		case it == nil:
			bad[id] = "PERMANENT_FAILURE_INVALID_ACK_ID"
		case seconds < 0:
			s.ack(it)
		case seconds == 0:
			s.fail(it)
		default:
			s.b.timers.set(it, time.Now().Add(time.Duration(seconds)*time.Second))
		}
	}
	if len(bad) == 0 || !s.pb.EnableExactlyOnceDelivery {
		return nil
	}
	st, err := status.New(codes.FailedPrecondition, "Some acknowledgement ids in the request were invalid").
		WithDetails(&errdetails.ErrorInfo{Reason: "EXACTLY_ONCE_ACKID_FAILURE", Domain: "pubsub.googleapis.com", Metadata: bad})
	if err != nil {
		return err
	}
	return st.Err()
}

func (b *broker) Acknowledge(_ context.Context, r *pb.AcknowledgeRequest) (*emptypb.Empty, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s, err := lookup(b.subs, r.Subscription)
	if err != nil {
		return nil, err
	}
	return &emptypb.Empty{}, s.update(r.AckIds, -1)
}

func (b *broker) ModifyAckDeadline(_ context.Context, r *pb.ModifyAckDeadlineRequest) (*emptypb.Empty, error) {
	if r.AckDeadlineSeconds < 0 || r.AckDeadlineSeconds > 600 {
		return nil, invalid("Invalid ack deadline given (ack_deadline_seconds=%d)", r.AckDeadlineSeconds)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	s, err := lookup(b.subs, r.Subscription)
	if err != nil {
		return nil, err
	}
	return &emptypb.Empty{}, s.update(r.AckIds, r.AckDeadlineSeconds)
}

// pullable finds a subscription to pull from.
func (b *broker) pullable(name string) (*subscription, error) {
	s, err := lookup(b.subs, name)
	if err == nil && (s.pb.Detached || s.pb.PushConfig.GetPushEndpoint() != "") {
		err = status.Error(codes.FailedPrecondition, "Pull is not supported for this subscription: it is detached or has a push endpoint")
	}
	return s, err
}

func (b *broker) Pull(ctx context.Context, r *pb.PullRequest) (*pb.PullResponse, error) {
	if r.MaxMessages <= 0 {
		return nil, invalid("max_messages must be positive")
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	s, err := b.pullable(r.Subscription)
	if err != nil {
		return nil, err
	}
	c := s.attach(&consumer{})
	defer s.detach(c)
	end := time.After(10 * time.Second)
	for {
		msgs := c.take(int(min(r.MaxMessages, 1000)))
		//lint:ignore SA1019 served because clients may still set it
		if len(msgs) > 0 || r.ReturnImmediately || c.err != nil {
			return &pb.PullResponse{ReceivedMessages: msgs}, c.err
		}
		b.mu.Unlock()
		var done bool
		select {
		case <-c.wake:
		case <-end:
			done = true
		case <-ctx.Done():
			done = true
		}
		b.mu.Lock()
		if done {
			return &pb.PullResponse{}, nil
		}
	}
}
