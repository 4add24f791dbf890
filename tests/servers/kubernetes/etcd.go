package main

import (
	"context"
	"errors"
	"net/url"
	"path/filepath"
	"strconv"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3client"
)

// etcdServer is a single etcd member inside this process.
type etcdServer struct {
	url    string
	server *embed.Etcd
	client *clientv3.Client
}

// startEtcd listens on a unix socket only: no port to collide with.
func startEtcd(ctx context.Context, dir string) (*etcdServer, error) {
	socket := url.URL{Scheme: "unix", Path: filepath.Join(dir, "etcd.sock")}
	cfg := embed.NewConfig()
	cfg.Dir = filepath.Join(dir, "etcd")
	cfg.ListenClientUrls = []url.URL{socket}
	// The advertised addresses stay at their defaults: they must be host:port,
	// and neither the apiserver nor a (missing) peer ever looks at them.
	cfg.ListenPeerUrls = nil
	cfg.UnsafeNoFsync = true // nothing here has to survive a power cut
	cfg.LogLevel = "error"
	cfg.LogOutputs = []string{filepath.Join(dir, "etcd.log")}
	server, err := embed.StartEtcd(cfg)
	if err != nil {
		return nil, err
	}
	e := &etcdServer{url: socket.String(), server: server, client: v3client.New(server.Server)}
	select {
	case <-server.Server.ReadyNotify():
		return e, nil
	case err = <-server.Err():
	case <-ctx.Done():
		err = ctx.Err()
	case <-time.After(time.Minute):
		err = errors.New("etcd not ready after a minute")
	}
	e.stop()
	return nil, err
}

// compact drops all history up to now. It records the revision where the
// apiserver's own five-minute compaction does, because the apiserver watches
// that key to learn which of its cached snapshots it must drop as well.
func (e *etcdServer) compact(ctx context.Context) error {
	now, err := e.client.Get(ctx, "compact_rev_key")
	if err != nil {
		return err
	}
	rev := now.Header.Revision
	if _, err := e.client.Put(ctx, "compact_rev_key", strconv.FormatInt(rev, 10)); err != nil {
		return err
	}
	_, err = e.client.Compact(ctx, rev, clientv3.WithCompactPhysical())
	return err
}

func (e *etcdServer) stop() {
	_ = e.client.Close()
	e.server.Close()
}
