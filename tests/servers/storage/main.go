// Command storage is a Cloud Storage for tests on one machine: fake-gcs-server on
// a free loopback port, and before it a gate that adds what Google's Rust client
// needs and that server lacks:
//
//   - the google.storage.v2 gRPC calls that StorageControl makes, answered from
//     the server's JSON API, and settings of buckets, kept in memory;
//   - generation preconditions on reads and deletes, which the server ignores;
//   - uploads of three parts, the last one a checksum, which the server would
//     store as content, and the content type of both kinds of upload;
//   - the port in the Host header, which the client leaves out and from which the
//     server builds the address of a resumable upload.
//
// All else is passed through unchanged. One loopback port serves both clients.
//
// When it is ready it prints one line of JSON: {"http":"127.0.0.1:P"}. It and the
// server behind it end when its standard input does, so that neither outlives the
// test that started it. Objects are in memory, or under -data DIR.
package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"mime"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httputil"
	"net/textproto"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	pb "google.golang.org/genproto/googleapis/storage/v2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

func main() {
	log.SetFlags(0)
	listen := flag.String("listen", "127.0.0.1:0", "address to serve on")
	server := flag.String("server", beside("fake-gcs-server"), "path of fake-gcs-server")
	data := flag.String("data", "", "folder that objects are kept in; in memory without it")
	flag.Parse()
	if err := run(*listen, *server, *data); err != nil {
		log.Fatal(err)
	}
}

// beside is the path of a program in this program's folder.
func beside(name string) string {
	self, err := os.Executable()
	if err != nil {
		return name
	}
	return filepath.Join(filepath.Dir(self), name)
}

func run(listen, server, data string) error {
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	address := listener.Addr().String()
	backend, err := startBackend(server, data, address)
	if err != nil {
		return err
	}
	failed := make(chan error, 2)
	go func() { failed <- serve(listener, backend.url) }()
	go func() {
		io.Copy(io.Discard, os.Stdin) // ends with the parent
		failed <- nil
	}()
	ready, err := json.Marshal(map[string]string{"http": address})
	if err == nil {
		fmt.Println(string(ready))
		err = <-failed
	}
	return errors.Join(err, backend.stop())
}

// serve answers gRPC itself and passes the rest to the backend.
func serve(listener net.Listener, to *url.URL) error {
	gate := &gate{api: to.JoinPath("storage/v1").String()}
	rpc := grpc.NewServer()
	pb.RegisterStorageServer(rpc, gate)
	proxy := &httputil.ReverseProxy{
		FlushInterval: -1,                                        // stream, so that a slow reader sees bytes as they come
		Transport:     &http.Transport{DisableCompression: true}, // or it would unpack stored gzip
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.Out.Host = listener.Addr().String()
		},
	}
	server := http.Server{Protocols: new(http.Protocols)}
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetUnencryptedHTTP2(true)
	server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc") {
			rpc.ServeHTTP(w, r)
			return
		}
		if err := gate.check(r); err != nil {
			code := httpOf(status.Code(err))
			http.Error(w, fmt.Sprintf(`{"error":{"code":%d,"message":%q}}`, code, err), code)
			return
		}
		proxy.ServeHTTP(w, r)
	})
	return server.Serve(listener)
}

type gate struct {
	pb.UnimplementedStorageServer
	api     string // fake-gcs-server's JSON API, up to "storage/v1"
	buckets buckets
}

// check gives a JSON API request the form fake-gcs-server understands, or says why it must fail.
func (g *gate) check(r *http.Request) error {
	query := r.URL.Query()
	if r.Method == http.MethodPost && query.Get("uploadType") == "multipart" {
		return twoParts(r)
	}
	if r.Method == http.MethodPut && query.Has("upload_id") {
		r.Header.Del("Content-Type") // a chunk's type, which the server would take for the object's
		return nil
	}
	want, err := strconv.ParseInt(query.Get("ifGenerationMatch"), 10, 64)
	if err != nil || r.Method != http.MethodGet && r.Method != http.MethodDelete {
		return nil // no precondition, or an upload's, which the server keeps
	}
	bucket, name, _ := strings.Cut(strings.TrimPrefix(r.URL.EscapedPath(), "/storage/v1/b/"), "/o/")
	if name, err = url.PathUnescape(name); err != nil {
		return status.Error(codes.InvalidArgument, err.Error())
	}
	generation, _ := strconv.ParseInt(query.Get("generation"), 10, 64)
	if _, err := g.stat(r.Context(), bucket, name, generation, &want); err != nil {
		return err
	}
	query.Set("generation", fmt.Sprint(want)) // an overwrite since the check makes this a 404
	r.URL.RawQuery = query.Encode()
	return nil
}

// twoParts rewrites a multipart upload's body as metadata and media: a checksum
// that follows the media moves into the metadata, and the media gets its type.
func twoParts(r *http.Request) error {
	_, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return status.Error(codes.InvalidArgument, err.Error())
	}
	var media []byte
	meta := map[string]any{}
	parts := multipart.NewReader(r.Body, params["boundary"])
	for i := 0; ; i++ {
		part, err := parts.NextRawPart()
		if err == io.EOF {
			break
		}
		if err == nil && i == 1 {
			media, err = io.ReadAll(part)
		} else if err == nil {
			err = json.NewDecoder(part).Decode(&meta) // a later part adds to the first
		}
		if err != nil {
			return status.Error(codes.InvalidArgument, err.Error())
		}
	}
	var body bytes.Buffer
	out := multipart.NewWriter(&body)
	head, _ := out.CreatePart(textproto.MIMEHeader{"Content-Type": {"application/json"}})
	json.NewEncoder(head).Encode(meta)
	kind, _ := meta["contentType"].(string)
	data, _ := out.CreatePart(textproto.MIMEHeader{"Content-Type": {cmp.Or(kind, "application/octet-stream")}})
	data.Write(media)
	out.Close()
	r.Header.Set("Content-Type", "multipart/related; boundary="+out.Boundary())
	r.Body, r.ContentLength, r.TransferEncoding = io.NopCloser(&body), int64(body.Len()), nil
	return nil
}

// The JSON API's own shapes; int64s travel as strings there.
type object struct {
	Name, Bucket, ContentType, ContentEncoding, StorageClass, Etag, Crc32c, Md5Hash string

	Size, Generation, Metageneration int64 `json:",string"`
	TimeCreated, Updated             time.Time
	Metadata                         map[string]string
}

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
