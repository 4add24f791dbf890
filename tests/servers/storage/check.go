package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

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
