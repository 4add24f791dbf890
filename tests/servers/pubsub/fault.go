package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// faults makes the next calls of a method fail or wait:
// POST /_test/fault {"method":"Publish","code":14,"times":3,"delay_ms":0,"after":false}.
// With "after" the call is served first, and only its answer is lost. For
// StreamingPull it hits the opening of streams, never after.
type faults struct {
	mu   sync.Mutex
	next map[string]*fault
}

type fault struct {
	Method  string
	Code    codes.Code
	Times   int
	DelayMS int `json:"delay_ms"`
	After   bool
}

func (f *faults) serve(w http.ResponseWriter, r *http.Request) {
	var x fault
	if err := json.NewDecoder(r.Body).Decode(&x); err != nil || x.Method == "" {
		http.Error(w, fmt.Sprint("bad fault: ", err), 400)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.next == nil {
		f.next = map[string]*fault{}
	}
	f.next[x.Method] = &x
}

// hit takes the fault of a call, if it has one.
func (f *faults) hit(fullMethod string) (fault, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	x := f.next[fullMethod[strings.LastIndex(fullMethod, "/")+1:]]
	if x == nil || x.Times <= 0 {
		return fault{}, false
	}
	x.Times--
	return *x, true
}

// strike waits, and returns the fault's error; nil where it only waits.
func (x fault) strike() error {
	time.Sleep(time.Duration(x.DelayMS) * time.Millisecond)
	if x.Code == codes.OK {
		return nil
	}
	return status.Error(x.Code, "injected fault")
}

func (f *faults) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, h grpc.UnaryHandler) (any, error) {
	x, hit := f.hit(info.FullMethod)
	if !hit {
		return h(ctx, req)
	}
	if !x.After {
		if err := x.strike(); err != nil {
			return nil, err
		}
		return h(ctx, req)
	}
	res, err := h(ctx, req)
	if lost := x.strike(); err == nil && lost != nil {
		return nil, lost
	}
	return res, err
}

func (f *faults) stream(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, h grpc.StreamHandler) error {
	if x, hit := f.hit(info.FullMethod); hit {
		if err := x.strike(); err != nil {
			return err
		}
	}
	return h(srv, ss)
}
