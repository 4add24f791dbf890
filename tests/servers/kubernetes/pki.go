package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// pki holds the certificates, keys and tokens of one cluster.
type pki struct {
	dir    string
	ca     *x509.Certificate
	caKey  *ecdsa.PrivateKey
	serial int64
	admin  tls.Certificate
	users  []user
}

// user is a name with a kubeconfig of its own.
type user struct {
	name   string
	groups []string
}

// newPKI writes all credentials to dir: a CA, the serving certificate, the
// service account key, tokens.csv, and a kubeconfig for each user. "admin" has
// a client certificate, as kubeadm makes it; everyone else has a token.
func newPKI(dir, server string, extraUsers []string) (*pki, error) {
	p := &pki{dir: dir, users: []user{
		{"admin", []string{"system:masters"}},
		{"system:kube-controller-manager", nil},
		{"system:kube-scheduler", nil},
	}}
	for _, spec := range extraUsers {
		name, groups, _ := strings.Cut(spec, ",")
		u := user{name: name}
		if groups != "" {
			u.groups = strings.Split(groups, ",")
		}
		p.users = append(p.users, u)
	}

	if err := p.writeCA(); err != nil {
		return nil, err
	}
	if _, err := p.issue("server", &x509.Certificate{
		Subject:     pkix.Name{CommonName: "kube-apiserver"},
		DNSNames:    []string{"localhost", "kubernetes.default.svc"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}); err != nil {
		return nil, err
	}
	var err error
	if p.admin, err = p.issue("admin", &x509.Certificate{
		Subject:     pkix.Name{CommonName: "kubernetes-admin", Organization: p.users[0].groups},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}); err != nil {
		return nil, err
	}
	if err := p.writeServiceAccountKey(); err != nil {
		return nil, err
	}
	return p, p.writeUsers(server)
}

func (p *pki) adminTLS() *tls.Config {
	roots := x509.NewCertPool()
	roots.AddCert(p.ca)
	return &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{p.admin}}
}

func (p *pki) writeCA() (err error) {
	p.caKey, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	der, err := p.sign(&x509.Certificate{
		Subject:               pkix.Name{CommonName: "podledger-tests"},
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}, &p.caKey.PublicKey)
	if err != nil {
		return err
	}
	if p.ca, err = x509.ParseCertificate(der); err != nil {
		return err
	}
	return p.write("ca.crt", "CERTIFICATE", der)
}

// sign makes a certificate from a template; the CA's own is self-signed.
func (p *pki) sign(template *x509.Certificate, key *ecdsa.PublicKey) ([]byte, error) {
	p.serial++
	template.SerialNumber = big.NewInt(p.serial)
	template.NotBefore = time.Now().Add(-time.Hour)
	template.NotAfter = time.Now().AddDate(1, 0, 0)
	parent := p.ca
	if parent == nil {
		parent = template
	}
	return x509.CreateCertificate(rand.Reader, template, parent, key, p.caKey)
}

// issue writes NAME.crt and NAME.key.
func (p *pki) issue(name string, template *x509.Certificate) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	cert, err := p.sign(template, &key.PublicKey)
	if err != nil {
		return tls.Certificate{}, err
	}
	if err := p.write(name+".crt", "CERTIFICATE", cert); err != nil {
		return tls.Certificate{}, err
	}
	if err := p.writeKey(name+".key", key); err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{cert}, PrivateKey: key}, nil
}

func (p *pki) writeServiceAccountKey() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return err
	}
	if err := p.write("sa.pub", "PUBLIC KEY", public); err != nil {
		return err
	}
	return p.writeKey("sa.key", key)
}

// writeUsers writes tokens.csv (token,user,uid,"groups") and the kubeconfigs.
func (p *pki) writeUsers(server string) error {
	var tokens strings.Builder
	for i, u := range p.users {
		var credential string
		if u.name == "admin" {
			credential = fmt.Sprintf("client-certificate: %s, client-key: %s", p.path("admin.crt"), p.path("admin.key"))
		} else {
			token := rand.Text()
			credential = "token: " + token
			fmt.Fprintf(&tokens, "%s,%s,%d,%q\n", token, u.name, i, strings.Join(u.groups, ","))
		}
		kubeconfig := fmt.Sprintf(`apiVersion: v1
kind: Config
current-context: test
contexts:
- name: test
  context: {cluster: test, user: %[1]q}
clusters:
- name: test
  cluster: {server: %[2]q, certificate-authority: %[3]s}
users:
- name: %[1]q
  user: {%[4]s}
`, u.name, server, p.path("ca.crt"), credential)
		if err := os.WriteFile(p.path(u.name+".kubeconfig"), []byte(kubeconfig), 0o600); err != nil {
			return err
		}
	}
	return os.WriteFile(p.path("tokens.csv"), []byte(tokens.String()), 0o600)
}

func (p *pki) path(name string) string { return filepath.Join(p.dir, name) }

func (p *pki) write(name, kind string, der []byte) error {
	return os.WriteFile(p.path(name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}

func (p *pki) writeKey(name string, key *ecdsa.PrivateKey) error {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	return p.write(name, "EC PRIVATE KEY", der)
}
