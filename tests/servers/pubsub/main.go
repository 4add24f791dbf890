// Command pubsub is an in-memory Cloud Pub/Sub for tests on one machine: the
// gRPC API (Publisher, Subscriber, SchemaService) on one port, its HTTP/JSON form
// on another. State is lost when it ends. It checks no credentials and must
// listen on loopback.
//
// When it is ready it prints one line of JSON with its addresses:
// {"grpc":"127.0.0.1:P","rest":"127.0.0.1:Q"}. It ends when its standard input
// does, so that it never outlives the test that started it. The HTTP port also
// serves, for tests:
//
//	GET  /oauth2/v3/certs             keys of the OIDC tokens on push requests (JWKS)
//	POST /_test/token                 {claims} -> a token signed with that key
//	POST /_test/fault                 {"method","code","times","delay_ms"}: make the next calls fail or wait
//	POST /_test/expire?subscription=  end all leases of a subscription now
//	GET  /_test/stats                 backlog, outstanding and consumers by subscription
package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	pb "cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"
)

type config struct {
	minAckDeadline int           // seconds
	streamLifetime time.Duration // 0: unlimited
	nonce          string        // makes ack IDs of another run invalid
}

func main() {
	log.SetFlags(0)
	grpcAddr := flag.String("grpc", "127.0.0.1:0", "address of the gRPC API")
	restAddr := flag.String("rest", "127.0.0.1:0", "address of the HTTP/JSON API, /oauth2/v3/certs and /_test/")
	cfg := config{nonce: rand.Text()[:8] + "-"}
	flag.IntVar(&cfg.minAckDeadline, "min-ack-deadline", 10, "least ack_deadline_seconds that a subscription may have (the real service: 10)")
	flag.DurationVar(&cfg.streamLifetime, "stream-lifetime", 0, "end each StreamingPull after this with UNAVAILABLE, as the real service does now and then (0: never)")
	flag.Parse()
	if err := run(*grpcAddr, *restAddr, cfg); err != nil {
		log.Fatal(err)
	}
}

func newBroker(cfg config) (*broker, error) {
	signer, err := newSigner()
	if err != nil {
		return nil, err
	}
	b := &broker{cfg: cfg, signer: signer, topics: map[string]*topic{}, subs: map[string]*subscription{},
		snaps: map[string]*snapshot{}, schemas: map[string][]*revision{}}
	go b.runTimers()
	return b, nil
}

func run(grpcAddr, restAddr string, cfg config) error {
	b, err := newBroker(cfg)
	if err != nil {
		return err
	}
	f := &faults{}
	srv := grpc.NewServer(
		grpc.MaxRecvMsgSize(11<<20), grpc.InitialWindowSize(1<<20), grpc.InitialConnWindowSize(4<<20),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: time.Second, PermitWithoutStream: true}),
		grpc.UnaryInterceptor(f.unary), grpc.StreamInterceptor(f.stream),
	)
	gw := &gateway{interceptor: f.unary}
	for _, d := range []*grpc.ServiceDesc{&pb.Publisher_ServiceDesc, &pb.Subscriber_ServiceDesc, &pb.SchemaService_ServiceDesc} {
		srv.RegisterService(d, b)
		if err := gw.register(d, b); err != nil {
			return err
		}
	}
	mux := http.NewServeMux()
	mux.Handle("/v1/", gw)
	writeJSON := func(w http.ResponseWriter, v any) {
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(v)
	}
	mux.HandleFunc("GET /oauth2/v3/certs", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, b.signer.jwks()) })
	mux.HandleFunc("POST /_test/token", func(w http.ResponseWriter, r *http.Request) { // sign any claims
		var claims map[string]any
		if err := json.NewDecoder(r.Body).Decode(&claims); err != nil {
			http.Error(w, err.Error(), 400)
			return
		}
		fmt.Fprint(w, b.signer.sign(claims))
	})
	mux.HandleFunc("POST /_test/fault", f.serve)
	mux.HandleFunc("POST /_test/expire", func(w http.ResponseWriter, r *http.Request) {
		if err := b.expire(r.URL.Query().Get("subscription")); err != nil {
			writeError(w, err)
		}
	})
	mux.HandleFunc("GET /_test/stats", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, b.stats()) })

	gl, err := net.Listen("tcp", grpcAddr)
	if err != nil {
		return err
	}
	rl, err := net.Listen("tcp", restAddr)
	if err != nil {
		return err
	}
	errc := make(chan error, 2)
	go func() { errc <- srv.Serve(gl) }()
	go func() { errc <- http.Serve(rl, mux) }()
	ready, err := json.Marshal(map[string]string{"grpc": gl.Addr().String(), "rest": rl.Addr().String()})
	if err != nil {
		return err
	}
	fmt.Println(string(ready))
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, os.Interrupt)
	go func() {
		io.Copy(io.Discard, os.Stdin) // ends with the parent
		stop <- os.Interrupt
	}()
	select {
	case err := <-errc:
		return err
	case <-stop:
		srv.Stop()
		return nil
	}
}

// subStats is what the real service exports as metrics.
type subStats struct {
	Undelivered      int     `json:"num_undelivered_messages"` // unacked, as the metric of this name
	Outstanding      int     `json:"num_outstanding_messages"`
	OldestUnackedAge float64 `json:"oldest_unacked_message_age"` // seconds
	Consumers        int     `json:"consumers"`
}

func (b *broker) stats() map[string]subStats {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := map[string]subStats{}
	for name, s := range b.subs {
		st := subStats{Outstanding: len(s.leases), Consumers: len(s.consumers)}
		for _, it := range s.log {
			if !it.acked {
				st.Undelivered++
				st.OldestUnackedAge = max(st.OldestUnackedAge, time.Since(it.at).Seconds())
			}
		}
		out[name] = st
	}
	return out
}

// expire ends all leases of a subscription now, as if their holders had died a
// while ago (clients ask for leases of 10 s or more, which is long in a test).
func (b *broker) expire(sub string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	s, err := lookup(b.subs, sub)
	if err != nil {
		return err
	}
	for _, it := range s.leases {
		s.fail(it)
	}
	return nil
}

// faults makes the next calls of a method fail or wait:
// POST /_test/fault {"method":"Publish","code":14,"times":3,"delay_ms":0}.
// For StreamingPull it hits the opening of streams.
type faults struct {
	mu   sync.Mutex
	next map[string]*fault
}

type fault struct {
	Method  string
	Code    codes.Code
	Times   int
	DelayMS int `json:"delay_ms"`
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

func (f *faults) hit(fullMethod string) error {
	f.mu.Lock()
	x := f.next[fullMethod[strings.LastIndex(fullMethod, "/")+1:]]
	if x == nil || x.Times <= 0 {
		f.mu.Unlock()
		return nil
	}
	x.Times--
	f.mu.Unlock()
	time.Sleep(time.Duration(x.DelayMS) * time.Millisecond)
	if x.Code == codes.OK {
		return nil
	}
	return status.Error(x.Code, "injected fault")
}

func (f *faults) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, h grpc.UnaryHandler) (any, error) {
	if err := f.hit(info.FullMethod); err != nil {
		return nil, err
	}
	return h(ctx, req)
}

func (f *faults) stream(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, h grpc.StreamHandler) error {
	if err := f.hit(info.FullMethod); err != nil {
		return err
	}
	return h(srv, ss)
}
