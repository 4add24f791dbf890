package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// tokens are the bearer tokens one of which every call must show, so that a
// test can let one expire: POST /_test/tokens {"accept":["a","b"]}. While there
// are none nothing is checked. An open stream is not looked at again.
type tokens struct {
	mu     sync.Mutex
	accept []string
}

func (t *tokens) serve(w http.ResponseWriter, r *http.Request) {
	var given struct{ Accept []string }
	if err := json.NewDecoder(r.Body).Decode(&given); err != nil {
		http.Error(w, fmt.Sprint("bad tokens: ", err), 400)
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.accept = given.Accept
}

// check says whether one of the Authorization headers shows an accepted token.
func (t *tokens) check(headers []string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.accept) == 0 || slices.ContainsFunc(headers, func(h string) bool {
		return slices.Contains(t.accept, strings.TrimPrefix(h, "Bearer "))
	}) {
		return nil
	}
	return status.Error(codes.Unauthenticated, "Request had invalid authentication credentials. Expected OAuth 2 access token.")
}

func (t *tokens) unary(ctx context.Context, req any, _ *grpc.UnaryServerInfo, h grpc.UnaryHandler) (any, error) {
	if err := t.check(metadata.ValueFromIncomingContext(ctx, "authorization")); err != nil {
		return nil, err
	}
	return h(ctx, req)
}

func (t *tokens) stream(srv any, ss grpc.ServerStream, _ *grpc.StreamServerInfo, h grpc.StreamHandler) error {
	if err := t.check(metadata.ValueFromIncomingContext(ss.Context(), "authorization")); err != nil {
		return err
	}
	return h(srv, ss)
}

// guard checks the calls over HTTP/JSON.
func (t *tokens) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := t.check(r.Header.Values("Authorization")); err != nil {
			writeError(w, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}
