package main

import (
	"encoding/base64"
	"encoding/binary"
	"time"

	pb "google.golang.org/genproto/googleapis/storage/v2"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// The JSON API's own shapes; int64s travel as strings there.
type object struct {
	Name, Bucket, ContentType, ContentEncoding, StorageClass, Etag, Crc32c, Md5Hash string

	Size, Generation, Metageneration int64 `json:",string"`
	TimeCreated, Updated             time.Time
	Metadata                         map[string]string
}

func (o object) proto() *pb.Object {
	out := &pb.Object{
		Name: o.Name, Bucket: "projects/_/buckets/" + o.Bucket, Size: o.Size, Etag: o.Etag,
		Generation: o.Generation, Metageneration: o.Metageneration, StorageClass: o.StorageClass,
		ContentType: o.ContentType, ContentEncoding: o.ContentEncoding, Metadata: o.Metadata,
		CreateTime: timestamppb.New(o.TimeCreated), UpdateTime: timestamppb.New(o.Updated),
		Checksums: &pb.ObjectChecksums{},
	}
	if sum, err := base64.StdEncoding.DecodeString(o.Crc32c); err == nil && len(sum) == 4 {
		out.Checksums.Crc32C = proto.Uint32(binary.BigEndian.Uint32(sum))
	}
	out.Checksums.Md5Hash, _ = base64.StdEncoding.DecodeString(o.Md5Hash)
	return out
}
