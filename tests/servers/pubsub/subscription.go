package main

import (
	"context"
	"time"

	pb "cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/emptypb"
)

// Subscriptions as resources: the administration part of the Subscriber service.

// setUp validates s.pb, fills in defaults and (re)starts push delivery.
func (b *broker) setUp(s *subscription) error {
	p := s.pb
	if p.AckDeadlineSeconds == 0 {
		p.AckDeadlineSeconds = 10
	}
	if d := int(p.AckDeadlineSeconds); d < b.cfg.minAckDeadline || d > 600 {
		return invalid("Invalid ack deadline given (ack_deadline_seconds=%d): must be %d to 600", d, b.cfg.minAckDeadline)
	}
	if p.MessageRetentionDuration == nil {
		p.MessageRetentionDuration = durationpb.New(7 * 24 * time.Hour)
	}
	if d := p.MessageRetentionDuration.AsDuration(); d < 10*time.Minute || d > 31*24*time.Hour {
		return invalid("Invalid message retention duration given: must be 10 minutes to 31 days")
	}
	if p.ExpirationPolicy == nil {
		p.ExpirationPolicy = &pb.ExpirationPolicy{Ttl: durationpb.New(31 * 24 * time.Hour)}
	}
	if d := p.DeadLetterPolicy; d != nil {
		if d.MaxDeliveryAttempts == 0 {
			d.MaxDeliveryAttempts = 5
		}
		if d.MaxDeliveryAttempts < 5 || d.MaxDeliveryAttempts > 100 {
			return invalid("Invalid max_delivery_attempts %d: must be 5 to 100", d.MaxDeliveryAttempts)
		}
		if _, err := lookup(b.topics, d.DeadLetterTopic); err != nil {
			return err
		}
	}
	if r := p.RetryPolicy; r != nil {
		if r.MinimumBackoff == nil {
			r.MinimumBackoff = durationpb.New(10 * time.Second)
		}
		if r.MaximumBackoff == nil {
			r.MaximumBackoff = durationpb.New(max(600*time.Second, r.MinimumBackoff.AsDuration()))
		}
		if lo, hi := r.MinimumBackoff.AsDuration(), r.MaximumBackoff.AsDuration(); lo < 0 || hi < lo || hi > 600*time.Second {
			return invalid("Invalid retry policy: 0 <= minimum_backoff <= maximum_backoff <= 600s")
		}
	}
	var err error
	if s.filter, err = parseFilter(p.Filter); err != nil || len(p.Filter) > 256 {
		return invalid("Invalid filter: %v", err)
	}
	return nil
}

func (b *broker) CreateSubscription(_ context.Context, p *pb.Subscription) (*pb.Subscription, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := absent(b.subs, p.Name, "subscriptions"); err != nil {
		return nil, err
	}
	t, err := lookup(b.topics, p.Topic)
	if err != nil {
		return nil, err
	}
	s := &subscription{b: b, pb: p, topic: t, lanes: map[string]*lane{}, leases: map[string]*item{}, consumers: map[*consumer]struct{}{}}
	if err := b.setUp(s); err != nil {
		return nil, err
	}
	p.State, p.TopicMessageRetentionDuration = pb.Subscription_ACTIVE, t.pb.MessageRetentionDuration
	b.subs[p.Name] = s
	s.startPush()
	return proto.CloneOf(p), nil
}

func (b *broker) GetSubscription(_ context.Context, r *pb.GetSubscriptionRequest) (*pb.Subscription, error) {
	return get(b, b.subs, r.Subscription, func(v *subscription) *pb.Subscription { return v.pb })
}

func (b *broker) UpdateSubscription(_ context.Context, r *pb.UpdateSubscriptionRequest) (*pb.Subscription, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s, err := lookup(b.subs, r.GetSubscription().GetName())
	if err != nil {
		return nil, err
	}
	n := &subscription{b: b, pb: proto.CloneOf(s.pb)}
	if err := applyMask(n.pb, r.Subscription, r.UpdateMask, "ack_deadline_seconds", "labels", "push_config", "retain_acked_messages",
		"message_retention_duration", "expiration_policy", "dead_letter_policy", "retry_policy", "enable_exactly_once_delivery"); err != nil {
		return nil, err
	}
	if err := b.setUp(n); err != nil {
		return nil, err
	}
	s.pb = n.pb
	s.startPush()
	return proto.CloneOf(s.pb), nil
}

func (b *broker) ModifyPushConfig(_ context.Context, r *pb.ModifyPushConfigRequest) (*emptypb.Empty, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s, err := lookup(b.subs, r.Subscription)
	if err != nil {
		return nil, err
	}
	s.pb.PushConfig = r.PushConfig
	s.startPush()
	return &emptypb.Empty{}, nil
}

func (b *broker) ListSubscriptions(_ context.Context, r *pb.ListSubscriptionsRequest) (*pb.ListSubscriptionsResponse, error) {
	res := &pb.ListSubscriptionsResponse{}
	res.Subscriptions, res.NextPageToken = list(b, b.subs, r.Project, r.PageToken, r.PageSize, func(s *subscription) (*pb.Subscription, bool) {
		return proto.CloneOf(s.pb), true
	})
	return res, nil
}

func (b *broker) DeleteSubscription(_ context.Context, r *pb.DeleteSubscriptionRequest) (*emptypb.Empty, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s, err := lookup(b.subs, r.Subscription)
	if err != nil {
		return nil, err
	}
	delete(b.subs, r.Subscription)
	s.stop(codes.NotFound)
	s.rewind(nil, func(*message) bool { return false })
	return &emptypb.Empty{}, nil
}
