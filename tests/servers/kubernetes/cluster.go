package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
)

// How long the API server may take until it is ready, and how often it is asked.
const (
	readyPatience = 2 * time.Minute
	readyInterval = 50 * time.Millisecond
)

// components are the upstream commands in this binary, by the name of the
// subcommand. They are built only when asked for: each registers flags, feature
// gates and signal handlers for the whole process.
var components = map[string]func() int{
	"kube-apiserver":          func() int { return run(apiserver.NewAPIServerCommand()) },
	"kube-controller-manager": func() int { return run(controllermanager.NewControllerManagerCommand()) },
	"kube-scheduler":          func() int { return run(scheduler.NewSchedulerCommand()) },
}

func run(cmd *cobra.Command) int { return cli.Run(cmd) }

// cluster is one running control plane.
type cluster struct {
	options
	port      int // the API's
	etcd      *etcdServer
	pki       *pki
	apiserver *child
	children  []*child
	lifeline  *os.File    // what components watch
	held      *os.File    // its other end, closed when this process ends
	exited    chan *child // components that ended without being told to
	stopped   sync.Once
}

// newCluster prepares a cluster that is not started yet.
func newCluster(o options) (*cluster, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	lifeline, held, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	return &cluster{options: o, port: port, lifeline: lifeline, held: held, exited: make(chan *child, 8)}, nil
}

const defaultAuditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: RequestResponse
  verbs: [create, update, patch, delete, deletecollection]
  resources:
  - group: apps
    resources: [deployments, deployments/*, statefulsets, statefulsets/*, replicasets, replicasets/*]
  - group: autoscaling
    resources: [horizontalpodautoscalers, horizontalpodautoscalers/*]
- level: None
`

func (c *cluster) file(name string) string { return filepath.Join(c.dir, name) }

// describe is what the ready line says.
func (c *cluster) describe(control string) map[string]string {
	return map[string]string{
		"api":        c.address(),
		"control":    control,
		"ca":         c.file("ca.crt"),
		"kubeconfig": c.file("admin.kubeconfig"),
		"directory":  c.dir,
	}
}

func (c *cluster) address() string { return "127.0.0.1:" + strconv.Itoa(c.port) }

func (c *cluster) url() string { return "https://" + c.address() }

// start brings everything up, in order, and returns when the API is ready.
func (c *cluster) start(ctx context.Context) (err error) {
	if c.pki, err = newPKI(c.dir, c.url(), c.users); err != nil {
		return err
	}
	if c.auditPolicy == "" {
		c.auditPolicy = c.file("audit-policy.yaml")
		if err = os.WriteFile(c.auditPolicy, []byte(defaultAuditPolicy), 0o600); err != nil {
			return err
		}
	}
	if c.etcd, err = startEtcd(ctx, c.dir); err != nil {
		return err
	}
	if err = c.startAPIServer(ctx); err != nil {
		return err
	}
	config, err := clientcmd.BuildConfigFromFlags("", c.file("admin.kubeconfig"))
	if err != nil {
		return err
	}
	config.QPS, config.Burst = 500, 1000
	client, err := kubernetes.NewForConfig(rest.AddUserAgent(config, "podledger-tests"))
	if err != nil {
		return err
	}
	if c.controllers != "" {
		if err = c.startControllerManager(); err != nil {
			return err
		}
	}
	if c.nodes > 0 {
		if err = c.startScheduler(); err != nil {
			return err
		}
		return startNodes(ctx, client, c.nodes, c.podDelay)
	}
	return nil
}

func (c *cluster) startAPIServer(ctx context.Context) error {
	if c.apiserver != nil {
		return errors.New("already running")
	}
	args := []string{
		"--etcd-servers=" + c.etcd.url,
		"--bind-address=127.0.0.1",
		"--advertise-address=127.0.0.1",
		"--secure-port=" + strconv.Itoa(c.port),
		"--endpoint-reconciler-type=none", // it refuses a loopback address
		"--service-cluster-ip-range=10.0.0.0/24",
		"--cert-dir=" + c.dir,
		"--tls-cert-file=" + c.file("server.crt"),
		"--tls-private-key-file=" + c.file("server.key"),
		"--client-ca-file=" + c.file("ca.crt"),
		"--token-auth-file=" + c.file("tokens.csv"),
		"--authorization-mode=RBAC",
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + c.file("sa.pub"),
		"--service-account-signing-key-file=" + c.file("sa.key"),
		// Pods need no default service account, new nodes are not tainted.
		"--disable-admission-plugins=ServiceAccount,TaintNodesByCondition",
		"--audit-policy-file=" + c.auditPolicy,
		"--audit-log-path=" + c.file("audit.log"),
	}
	ch, err := c.spawn("kube-apiserver", append(args, c.apiArgs...))
	if err != nil {
		return err
	}
	c.apiserver = ch
	return c.waitReady(ctx)
}

func (c *cluster) startControllerManager() error {
	_, err := c.spawn("kube-controller-manager", append([]string{
		"--kubeconfig=" + c.file("system:kube-controller-manager.kubeconfig"),
		"--controllers=" + c.controllers,
		"--use-service-account-credentials", // one user per controller, as kubeadm has it
		"--leader-elect=false",
		"--secure-port=0",
		"--kube-api-qps=500", "--kube-api-burst=1000",
		"--horizontal-pod-autoscaler-sync-period=2s",
	}, c.cmArgs...))
	return err
}

func (c *cluster) startScheduler() error {
	_, err := c.spawn("kube-scheduler", []string{
		"--kubeconfig=" + c.file("system:kube-scheduler.kubeconfig"),
		"--leader-elect=false",
		"--secure-port=0",
		"--kube-api-qps=500", "--kube-api-burst=1000",
	})
	return err
}

func (c *cluster) stopAPIServer(sig syscall.Signal) error {
	if c.apiserver == nil {
		return errors.New("not running")
	}
	err := c.apiserver.end(sig)
	c.apiserver = nil
	return err
}

// stop ends all processes, once. Nothing is worth saving, so nobody is asked nicely.
func (c *cluster) stop() {
	c.stopped.Do(func() {
		for _, ch := range c.children {
			if err := ch.end(syscall.SIGKILL); err != nil {
				log.Printf("end %s: %v", ch.name, err)
			}
		}
		if c.etcd != nil {
			c.etcd.stop()
		}
		c.lifeline.Close()
		c.held.Close()
	})
}

// waitReady polls /readyz until it says ok.
func (c *cluster) waitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyPatience)
	defer cancel()
	client := http.Client{Transport: &http.Transport{TLSClientConfig: c.pki.adminTLS()}}
	defer client.CloseIdleConnections()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url()+"/readyz", nil)
		if err != nil {
			return err
		}
		if resp, err := client.Do(req); err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("API server not ready: %w, see %s", ctx.Err(), c.apiserver.log)
		case <-c.apiserver.done:
			return fmt.Errorf("API server ended, see %s", c.apiserver.log)
		case <-time.After(readyInterval):
		}
	}
}

// freePort finds a port below the range the kernel hands out to clients, so
// that it is still free when the apiserver is started again on it.
func freePort() (int, error) {
	for i := range 2000 {
		port := 20000 + (os.Getpid()*7+i)%10000
		l, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port))
		if err == nil {
			return port, l.Close()
		}
	}
	return 0, errors.New("no free port")
}
