package main

import (
	"context"
	"strings"

	pb "cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"
)

// Topics, and publishing to them: the Publisher service.

func (b *broker) CreateTopic(_ context.Context, t *pb.Topic) (*pb.Topic, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := absent(b.topics, t.Name, "topics"); err != nil {
		return nil, err
	}
	if ss := t.SchemaSettings; ss != nil {
		if _, err := lookup(b.schemas, ss.Schema); err != nil {
			return nil, err
		}
	}
	t.State = pb.Topic_ACTIVE
	b.topics[t.Name] = &topic{pb: t}
	return proto.CloneOf(t), nil
}

func (b *broker) GetTopic(_ context.Context, r *pb.GetTopicRequest) (*pb.Topic, error) {
	return get(b, b.topics, r.Topic, func(v *topic) *pb.Topic { return v.pb })
}

func (b *broker) UpdateTopic(_ context.Context, r *pb.UpdateTopicRequest) (*pb.Topic, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	t, err := lookup(b.topics, r.GetTopic().GetName())
	if err != nil {
		return nil, err
	}
	n := proto.CloneOf(t.pb)
	if err := applyMask(n, r.Topic, r.UpdateMask, "labels", "message_storage_policy", "kms_key_name", "schema_settings", "message_retention_duration"); err != nil {
		return nil, err
	}
	t.pb = n
	return proto.CloneOf(n), nil
}

func (b *broker) ListTopics(_ context.Context, r *pb.ListTopicsRequest) (*pb.ListTopicsResponse, error) {
	res := &pb.ListTopicsResponse{}
	res.Topics, res.NextPageToken = list(b, b.topics, r.Project, r.PageToken, r.PageSize, func(t *topic) (*pb.Topic, bool) {
		return proto.CloneOf(t.pb), true
	})
	return res, nil
}

func (b *broker) ListTopicSubscriptions(_ context.Context, r *pb.ListTopicSubscriptionsRequest) (*pb.ListTopicSubscriptionsResponse, error) {
	res := &pb.ListTopicSubscriptionsResponse{}
	res.Subscriptions, res.NextPageToken = list(b, b.subs, "projects", r.PageToken, r.PageSize, func(s *subscription) (string, bool) {
		return s.pb.Name, s.pb.Topic == r.Topic
	})
	return res, nil
}

func (b *broker) ListTopicSnapshots(_ context.Context, r *pb.ListTopicSnapshotsRequest) (*pb.ListTopicSnapshotsResponse, error) {
	res := &pb.ListTopicSnapshotsResponse{}
	res.Snapshots, res.NextPageToken = list(b, b.snaps, "projects", r.PageToken, r.PageSize, func(s *snapshot) (string, bool) {
		return s.pb.Name, s.pb.Topic == r.Topic
	})
	return res, nil
}

func (b *broker) DeleteTopic(_ context.Context, r *pb.DeleteTopicRequest) (*emptypb.Empty, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	t, err := lookup(b.topics, r.Topic)
	if err != nil {
		return nil, err
	}
	delete(b.topics, r.Topic)
	for _, s := range b.subs {
		if s.topic == t { // its backlog stays
			s.topic, s.pb.Topic = nil, "_deleted-topic_"
		}
	}
	return &emptypb.Empty{}, nil
}

func (b *broker) DetachSubscription(_ context.Context, r *pb.DetachSubscriptionRequest) (*pb.DetachSubscriptionResponse, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s, err := lookup(b.subs, r.Subscription)
	if err != nil {
		return nil, err
	}
	s.pb.Detached, s.pb.RetainAckedMessages = true, false
	s.stop(codes.FailedPrecondition)
	s.rewind(nil, func(*message) bool { return false })
	return &pb.DetachSubscriptionResponse{}, nil
}

func (b *broker) Publish(_ context.Context, r *pb.PublishRequest) (*pb.PublishResponse, error) {
	if n := len(r.Messages); n == 0 || n > 1000 {
		return nil, invalid("The value for message_count is %d; it must be 1 to 1000", n)
	}
	if n := proto.Size(r); n > 10_000_000 {
		return nil, invalid("The request has %d bytes, more than 10000000", n)
	}
	for i, m := range r.Messages {
		if len(m.Data) == 0 && len(m.Attributes) == 0 {
			return nil, invalid("Message %d has neither data nor attributes", i)
		}
		if len(m.OrderingKey) > 1024 || len(m.Attributes) > 100 {
			return nil, invalid("Message %d: ordering key over 1024 bytes, or over 100 attributes", i)
		}
		for k, v := range m.Attributes {
			if k == "" || len(k) > 256 || len(v) > 1024 || strings.HasPrefix(k, "goog") {
				return nil, invalid("Message %d: attribute %q: key empty, over 256 bytes or reserved (goog…), or value over 1024 bytes", i, k)
			}
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	t, err := lookup(b.topics, r.Topic)
	if err != nil {
		return nil, err
	}
	if err := b.applySchema(t.pb.SchemaSettings, r.Messages); err != nil {
		return nil, err
	}
	return &pb.PublishResponse{MessageIds: b.publish(t, r.Messages)}, nil
}
