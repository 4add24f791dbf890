#!/bin/sh
# Rewrites go.mod for one Kubernetes release:  ./bump.sh 1.35.8 [etcd-version]
#
# k8s.io/kubernetes requires its own staging modules at v0.0.0 and redirects
# them with `replace` lines to ./staging.  Replace lines of a dependency do not
# count for its users, so every one of them is repeated here against the
# published tag of the same release (v1.X.Y of kubernetes = v0.X.Y of staging).
set -eu
cd "$(dirname "$0")"
release=$1
staging=v0.${release#1.}
modfile=$(go mod download -json "k8s.io/kubernetes@v$release" |
    sed -n 's/.*"GoMod": "\(.*\)".*/\1/p')
etcd=${2:-$(sed -n 's|^\tgo.etcd.io/etcd/client/v3 \(v[^ ]*\).*|\1|p' "$modfile")}

{
    echo "module podledger/tests/servers/kubernetes"
    echo
    sed -n 's/^go .*/&/p; s/^godebug .*/\n&/p' "$modfile"
    echo
    echo "require ("
    printf '\tk8s.io/kubernetes v%s\n' "$release"
    printf '\tgo.etcd.io/etcd/server/v3 %s\n' "$etcd"
    echo ")"
    echo
    echo "replace ("
    sed -n 's|^\t\(k8s.io/[^ ]*\) v0\.0\.0$|\t\1 => \1 '"$staging|p" "$modfile"
    echo ")"
} > go.mod.new
mv go.mod.new go.mod
go mod tidy
