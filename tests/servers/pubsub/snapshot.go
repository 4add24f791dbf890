package main

import (
	"context"
	"time"

	pb "cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Snapshots of a subscription, and seeking to them or to a time.

func (b *broker) CreateSnapshot(_ context.Context, r *pb.CreateSnapshotRequest) (*pb.Snapshot, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := absent(b.snaps, r.Name, "snapshots"); err != nil {
		return nil, err
	}
	s, err := lookup(b.subs, r.Subscription)
	if err != nil {
		return nil, err
	}
	sn := &snapshot{pb: &pb.Snapshot{Name: r.Name, Topic: s.pb.Topic, Labels: r.Labels, ExpireTime: timestamppb.New(time.Now().Add(7 * 24 * time.Hour))}}
	for _, it := range s.log {
		if !it.acked {
			sn.backlog = append(sn.backlog, it.message)
		}
	}
	b.snaps[r.Name] = sn
	return proto.CloneOf(sn.pb), nil
}

func (b *broker) GetSnapshot(_ context.Context, r *pb.GetSnapshotRequest) (*pb.Snapshot, error) {
	return get(b, b.snaps, r.Snapshot, func(v *snapshot) *pb.Snapshot { return v.pb })
}

func (b *broker) UpdateSnapshot(_ context.Context, r *pb.UpdateSnapshotRequest) (*pb.Snapshot, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	sn, err := lookup(b.snaps, r.GetSnapshot().GetName())
	if err != nil {
		return nil, err
	}
	if err := applyMask(sn.pb, r.Snapshot, r.UpdateMask, "labels", "expire_time"); err != nil {
		return nil, err
	}
	return proto.CloneOf(sn.pb), nil
}

func (b *broker) ListSnapshots(_ context.Context, r *pb.ListSnapshotsRequest) (*pb.ListSnapshotsResponse, error) {
	res := &pb.ListSnapshotsResponse{}
	res.Snapshots, res.NextPageToken = list(b, b.snaps, r.Project, r.PageToken, r.PageSize, func(s *snapshot) (*pb.Snapshot, bool) {
		return proto.CloneOf(s.pb), true
	})
	return res, nil
}

func (b *broker) DeleteSnapshot(_ context.Context, r *pb.DeleteSnapshotRequest) (*emptypb.Empty, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, err := lookup(b.snaps, r.Snapshot); err != nil {
		return nil, err
	}
	delete(b.snaps, r.Snapshot)
	return &emptypb.Empty{}, nil
}

func (b *broker) Seek(_ context.Context, r *pb.SeekRequest) (*pb.SeekResponse, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s, err := lookup(b.subs, r.Subscription)
	if err != nil {
		return nil, err
	}
	switch v := r.Target.(type) {
	case *pb.SeekRequest_Time:
		var given []*message
		if s.topic != nil {
			for _, m := range s.topic.log {
				if time.Since(m.at) < s.topic.pb.MessageRetentionDuration.AsDuration() && s.filter.match(m.pb.Attributes) {
					given = append(given, m)
				}
			}
		}
		target := v.Time.AsTime()
		s.rewind(given, func(m *message) bool { return !m.at.Before(target) })
	case *pb.SeekRequest_Snapshot:
		sn, err := lookup(b.snaps, v.Snapshot)
		if err != nil {
			return nil, err
		}
		if sn.pb.Topic != s.pb.Topic {
			return nil, status.Error(codes.FailedPrecondition, "The snapshot belongs to another topic")
		}
		unacked := map[uint64]bool{}
		for _, m := range sn.backlog {
			unacked[m.seq] = s.filter.match(m.pb.Attributes)
		}
		s.rewind(sn.backlog, func(m *message) bool { return unacked[m.seq] })
	default:
		return nil, invalid("Seek needs a time or a snapshot")
	}
	return &pb.SeekResponse{}, nil
}
