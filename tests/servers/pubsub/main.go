// Command pubsub is an in-memory Cloud Pub/Sub for tests on one machine: the
// gRPC API (Publisher, Subscriber, SchemaService) on one port, its HTTP/JSON form
// on another. State is lost when it ends. It checks no credentials, but those a
// test asks for, and must listen on loopback.
//
// When it is ready it prints one line of JSON with its addresses:
// {"grpc":"127.0.0.1:P","rest":"127.0.0.1:Q"}. It ends when its standard input
// does, so that it never outlives the test that started it. The HTTP port also
// serves, for tests:
//
//	GET  /oauth2/v3/certs             keys of the OIDC tokens on push requests (JWKS)
//	POST /_test/token                 {claims} -> a token signed with that key
//	POST /_test/fault                 {"method","code","times","delay_ms","after"}: make the next calls fail or wait
//	POST /_test/tokens                {"accept":[…]}: bearer tokens, one of which every call must show from now on
//	POST /_test/expire?subscription=  end all leases of a subscription now
//	GET  /_test/stats                 backlog, outstanding and consumers by subscription
package main

import (
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
	"syscall"
	"time"

	pb "cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"
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
	f, t := &faults{}, &tokens{}
	srv := grpc.NewServer(
		grpc.MaxRecvMsgSize(11<<20), grpc.InitialWindowSize(1<<20), grpc.InitialConnWindowSize(4<<20),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: time.Second, PermitWithoutStream: true}),
		grpc.ChainUnaryInterceptor(t.unary, f.unary), grpc.ChainStreamInterceptor(t.stream, f.stream),
	)
	gw := &gateway{interceptor: f.unary}
	for _, d := range []*grpc.ServiceDesc{&pb.Publisher_ServiceDesc, &pb.Subscriber_ServiceDesc, &pb.SchemaService_ServiceDesc} {
		srv.RegisterService(d, b)
		if err := gw.register(d, b); err != nil {
			return err
		}
	}
	mux := http.NewServeMux()
	mux.Handle("/v1/", t.guard(gw))
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
	mux.HandleFunc("POST /_test/tokens", t.serve)
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
