// Command kubernetes runs a real Kubernetes control plane on loopback, for tests:
// the unmodified kube-apiserver, kube-controller-manager and kube-scheduler, with
// etcd on a unix socket and a stand-in for kubelets that marks scheduled pods
// Running and Ready.
//
//	kubernetes [flags]                 start a cluster
//	kubernetes kube-apiserver [flags]  run one component (used internally)
//
// When it is ready it prints one line of JSON:
//
//	{"api":"127.0.0.1:P","control":"127.0.0.1:Q","ca":PATH,"kubeconfig":PATH,"directory":PATH}
//
// The API is served with TLS under the certificate authority ca. The kubeconfig
// is the administrator's; others lie in the directory as USER.kubeconfig, with
// the tokens of tokens.csv. It ends when its standard input does, or on SIGTERM,
// and takes its directory with it unless that was given.
//
// The control port takes POST requests, one at a time, and answers when done:
//
//	/stop-apiserver   end the API server as an orderly shutdown does
//	/kill-apiserver   kill it
//	/start-apiserver  start it again on the same port, and wait until it is ready
//	/compact          drop etcd's history, so that older continue tokens get 410
//	/end              end everything
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"k8s.io/klog/v2"
	"k8s.io/klog/v2/textlogger"
)

// options are the command line flags.
type options struct {
	dir         string
	nodes       int
	podDelay    time.Duration
	controllers string
	auditPolicy string
	users       multiFlag
	apiArgs     multiFlag
	cmArgs      multiFlag
}

// multiFlag collects a flag that may be given several times.
type multiFlag []string

func (m *multiFlag) String() string     { return strings.Join(*m, " ") }
func (m *multiFlag) Set(s string) error { *m = append(*m, s); return nil }

const defaultControllers = "deployment-controller,replicaset-controller,statefulset-controller," +
	"horizontal-pod-autoscaler-controller,namespace-controller,garbage-collector-controller"

func parseFlags() options {
	var o options
	flag.StringVar(&o.dir, "dir", "", "state directory, kept at the end (default: a temporary one, removed)")
	flag.IntVar(&o.nodes, "nodes", 2, "number of pretended nodes; 0 also turns the scheduler off, pods stay Pending")
	flag.DurationVar(&o.podDelay, "pod-delay", time.Second, "time from scheduled to Ready")
	flag.StringVar(&o.controllers, "controllers", defaultControllers, "controllers to run, comma separated; empty: none")
	flag.StringVar(&o.auditPolicy, "audit-policy", "", "audit policy file (default: bodies of workloads, scale and autoscalers)")
	flag.Var(&o.users, "user", "NAME[,GROUP...]: extra user with a token and without rights; may be repeated")
	flag.Var(&o.apiArgs, "apiserver-arg", "extra kube-apiserver argument; may be repeated")
	flag.Var(&o.cmArgs, "controller-manager-arg", "extra kube-controller-manager argument; may be repeated")
	flag.Parse()
	return o
}

func main() {
	if len(os.Args) > 1 {
		if command, ok := components[os.Args[1]]; ok {
			os.Args = os.Args[1:]
			endWithSupervisor()
			os.Exit(command())
		}
	}
	log.SetFlags(0)
	log.SetPrefix("kubernetes: ")
	if err := supervise(parseFlags()); err != nil {
		log.Fatal(err)
	}
}

// How often controllers are started again.
const mostRestarts = 10

// supervise starts the cluster and stays until it is told to end.
func supervise(o options) error {
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer cancel()
	go func() {
		io.Copy(io.Discard, os.Stdin) // ends with the parent
		cancel()
	}()

	remove, err := o.makeDir()
	if err != nil {
		return err
	}
	defer remove()

	// The client library's complaints, above all about a stopped API server.
	clientLog, err := os.Create(filepath.Join(o.dir, "client.log"))
	if err != nil {
		return err
	}
	defer clientLog.Close()
	klog.SetLogger(textlogger.NewLogger(textlogger.NewConfig(textlogger.Output(clientLog))))

	c, err := newCluster(o)
	if err != nil {
		return err
	}
	defer c.stop()
	if err := c.start(ctx); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer listener.Close()
	ended := make(chan struct{})
	end := func() {
		c.stop()
		remove() // before the answer: who asked may kill this process after it
	}
	go serveControl(ctx, c, listener, end, func() { close(ended) })

	ready, err := json.Marshal(c.describe(listener.Addr().String()))
	if err != nil {
		return err
	}
	fmt.Println(string(ready))
	for restarts := 0; ; restarts++ {
		select {
		case <-ctx.Done():
			return nil
		case <-ended:
			return nil
		case failed := <-c.exited:
			// Controllers give up on an API server that is slow to answer, and rely on being started again.
			if failed == c.apiserver || restarts == mostRestarts {
				return fmt.Errorf("%s ended unexpectedly: %s", failed.name, failed.lastWords())
			}
			log.Printf("%s ended and is started again: %s", failed.name, failed.lastWords())
			if _, err := c.spawn(failed.name, failed.args); err != nil {
				return err
			}
		}
	}
}

// makeDir makes the state directory; what is returned removes it, if it is a temporary one.
func (o *options) makeDir() (func(), error) {
	if o.dir == "" {
		// Kept short: a unix socket's path has at most 107 characters.
		dir, err := os.MkdirTemp("", "kubernetes")
		o.dir = dir
		return func() { os.RemoveAll(dir) }, err
	}
	dir, err := filepath.Abs(o.dir)
	o.dir = dir
	return func() {}, errors.Join(err, os.MkdirAll(dir, 0o700))
}
