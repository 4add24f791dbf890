package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	pb "google.golang.org/genproto/googleapis/storage/v2"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
)

// call makes one JSON API request and decodes its answer into out.
func (g *gate) call(ctx context.Context, method, path string, query url.Values, in, out any) error {
	var body io.Reader
	if in != nil {
		raw, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = strings.NewReader(string(raw))
	}
	req, err := http.NewRequestWithContext(ctx, method, g.api+path+"?"+query.Encode(), body)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return status.Error(codes.Unavailable, err.Error())
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 1000))
		return status.Errorf(codeOf(resp.StatusCode), "%s %s: %s", method, path, text)
	}
	if out == nil {
		return nil
	}
	return json.NewDecoder(resp.Body).Decode(out)
}

func codeOf(http int) codes.Code {
	switch http {
	case 400:
		return codes.InvalidArgument
	case 404:
		return codes.NotFound
	case 409:
		return codes.AlreadyExists
	case 412:
		return codes.FailedPrecondition
	}
	return codes.Internal
}

func httpOf(code codes.Code) int {
	switch code {
	case codes.InvalidArgument:
		return 400
	case codes.NotFound:
		return 404
	case codes.FailedPrecondition:
		return 412
	}
	return 500
}

// bucketID turns "projects/_/buckets/b" into "b".
func bucketID(name string) string { return name[strings.LastIndex(name, "/")+1:] }

func bucketPath(name string) string { return "/b/" + url.PathEscape(bucketID(name)) }

func objectPath(bucket, object string) string {
	return bucketPath(bucket) + "/o/" + url.PathEscape(object)
}

func (g *gate) ListObjects(ctx context.Context, r *pb.ListObjectsRequest) (*pb.ListObjectsResponse, error) {
	size := r.PageSize
	if size <= 0 || size > 1000 { // the service's own cap
		size = 1000
	}
	query := url.Values{
		"prefix": {r.Prefix}, "delimiter": {r.Delimiter}, "pageToken": {r.PageToken},
		"maxResults": {fmt.Sprint(size)}, "versions": {fmt.Sprint(r.Versions)},
		"startOffset": {r.LexicographicStart}, "endOffset": {r.LexicographicEnd},
		"includeTrailingDelimiter": {fmt.Sprint(r.IncludeTrailingDelimiter)},
	}
	var page struct {
		Items         []object
		Prefixes      []string
		NextPageToken string
	}
	if err := g.call(ctx, "GET", bucketPath(r.Parent)+"/o", query, nil, &page); err != nil {
		return nil, err
	}
	out := &pb.ListObjectsResponse{Prefixes: page.Prefixes, NextPageToken: page.NextPageToken}
	for _, o := range page.Items {
		out.Objects = append(out.Objects, o.proto())
	}
	return out, nil
}

func (g *gate) GetObject(ctx context.Context, r *pb.GetObjectRequest) (*pb.Object, error) {
	o, err := g.stat(ctx, r.Bucket, r.Object, r.Generation, r.IfGenerationMatch)
	if err != nil {
		return nil, err
	}
	return o.proto(), nil
}

func (g *gate) DeleteObject(ctx context.Context, r *pb.DeleteObjectRequest) (*emptypb.Empty, error) {
	query := url.Values{}
	if r.Generation != 0 {
		query.Set("generation", fmt.Sprint(r.Generation))
	}
	if want := r.IfGenerationMatch; want != nil {
		if _, err := g.stat(ctx, r.Bucket, r.Object, r.Generation, want); err != nil {
			return nil, err
		}
		query.Set("generation", fmt.Sprint(*want)) // an overwrite since the check makes this a 404
	}
	return &emptypb.Empty{}, g.call(ctx, "DELETE", objectPath(r.Bucket, r.Object), query, nil, nil)
}

// stat gets an object's metadata, if its generation is the wanted one.
func (g *gate) stat(ctx context.Context, bucket, name string, generation int64, want *int64) (o object, err error) {
	query := url.Values{}
	if generation != 0 {
		query.Set("generation", fmt.Sprint(generation))
	}
	err = g.call(ctx, "GET", objectPath(bucket, name), query, nil, &o)
	if err == nil && want != nil && *want != o.Generation {
		err = status.Errorf(codes.FailedPrecondition, "generation is %d, not %d", o.Generation, *want)
	}
	return o, err
}
