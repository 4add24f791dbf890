package main

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	pb "google.golang.org/genproto/googleapis/storage/v2"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// bucket is the JSON API's own shape: all that fake-gcs-server keeps of a bucket.
type bucket struct {
	Name, Location, StorageClass string
	TimeCreated                  time.Time
}

// buckets keeps the settings of buckets that were made or changed through gRPC, by name.
type buckets struct {
	mu   sync.Mutex
	kept map[string]*pb.Bucket
}

// fixed are the fields of a bucket that an update cannot change.
var fixed = []string{"name", "bucket_id", "project", "location", "location_type", "create_time", "update_time", "metageneration", "etag"}

// put keeps settings under a new metageneration.
func (b *buckets) put(settings *pb.Bucket, metageneration int64) *pb.Bucket {
	settings.Metageneration, settings.Etag = metageneration, fmt.Sprintf("m%d", metageneration)
	settings.UpdateTime = timestamppb.Now()
	if b.kept == nil {
		b.kept = map[string]*pb.Bucket{}
	}
	b.kept[settings.BucketId] = settings
	return proto.CloneOf(settings)
}

func (g *gate) CreateBucket(ctx context.Context, r *pb.CreateBucketRequest) (*pb.Bucket, error) {
	g.buckets.mu.Lock()
	defer g.buckets.mu.Unlock()
	var made bucket
	if err := g.call(ctx, "POST", "/b", url.Values{}, map[string]string{"name": r.BucketId}, &made); err != nil {
		return nil, err
	}
	settings := &pb.Bucket{}
	if r.Bucket != nil {
		settings = proto.CloneOf(r.Bucket)
	}
	settings.Name, settings.BucketId = "projects/_/buckets/"+r.BucketId, r.BucketId
	settings.Location = strings.ToUpper(cmp.Or(settings.Location, "US"))
	settings.StorageClass = cmp.Or(settings.StorageClass, "STANDARD")
	settings.CreateTime = timestamppb.New(made.TimeCreated)
	return g.buckets.put(settings, 1), nil
}

func (g *gate) GetBucket(ctx context.Context, r *pb.GetBucketRequest) (*pb.Bucket, error) {
	g.buckets.mu.Lock()
	defer g.buckets.mu.Unlock()
	return g.find(ctx, r.Name)
}

// find is a bucket with its settings; one made through the JSON API has few.
func (g *gate) find(ctx context.Context, name string) (*pb.Bucket, error) {
	var b bucket
	if err := g.call(ctx, "GET", bucketPath(name), url.Values{}, nil, &b); err != nil {
		return nil, err
	}
	if settings := g.buckets.kept[b.Name]; settings != nil {
		return proto.CloneOf(settings), nil
	}
	return b.proto(), nil
}

func (g *gate) UpdateBucket(ctx context.Context, r *pb.UpdateBucketRequest) (*pb.Bucket, error) {
	g.buckets.mu.Lock()
	defer g.buckets.mu.Unlock()
	settings, err := g.find(ctx, r.GetBucket().GetName())
	if err != nil {
		return nil, err
	}
	if want := r.IfMetagenerationMatch; want != nil && *want != settings.Metageneration {
		return nil, status.Errorf(codes.FailedPrecondition, "metageneration is %d, not %d", settings.Metageneration, *want)
	}
	to, from := settings.ProtoReflect(), r.Bucket.ProtoReflect()
	for _, path := range r.GetUpdateMask().GetPaths() {
		field := to.Descriptor().Fields().ByName(protoreflect.Name(path))
		if field == nil || slices.Contains(fixed, path) {
			return nil, status.Errorf(codes.InvalidArgument, "update_mask: %q is no field that can be changed", path)
		}
		if from.Has(field) {
			to.Set(field, from.Get(field))
		} else {
			to.Clear(field)
		}
	}
	return g.buckets.put(settings, settings.Metageneration+1), nil
}

func (g *gate) DeleteBucket(ctx context.Context, r *pb.DeleteBucketRequest) (*emptypb.Empty, error) {
	g.buckets.mu.Lock()
	defer g.buckets.mu.Unlock()
	delete(g.buckets.kept, bucketID(r.Name))
	return &emptypb.Empty{}, g.call(ctx, "DELETE", bucketPath(r.Name), url.Values{}, nil, nil)
}

func (g *gate) ListBuckets(ctx context.Context, r *pb.ListBucketsRequest) (*pb.ListBucketsResponse, error) {
	var all struct{ Items []bucket }
	if err := g.call(ctx, "GET", "/b", url.Values{"prefix": {r.Prefix}}, nil, &all); err != nil {
		return nil, err
	}
	out := &pb.ListBucketsResponse{}
	for _, b := range all.Items {
		if strings.HasPrefix(b.Name, r.Prefix) {
			out.Buckets = append(out.Buckets, b.proto())
		}
	}
	return out, nil
}

func (b bucket) proto() *pb.Bucket {
	return &pb.Bucket{
		Name: "projects/_/buckets/" + b.Name, BucketId: b.Name, Project: "projects/_", Metageneration: 1,
		Location: b.Location, StorageClass: b.StorageClass, CreateTime: timestamppb.New(b.TimeCreated),
	}
}
