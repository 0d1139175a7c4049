package cluster

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// serviceAddress is the first address of serviceRange: where Kubernetes puts
// the Service "kubernetes".
const serviceAddress = "10.100.0.1"

// mintKubeconfig returns a kubeconfig in which user acts, in groups.
func mintKubeconfig(a *authority, endpoint, user string, groups ...string) ([]byte, error) {
	if user == "" {
		return nil, errors.New("minting a kubeconfig: the user has no name; give one")
	}
	client, err := a.user(user, groups...)
	if err != nil {
		return nil, err
	}
	config := clientcmdapi.NewConfig()
	config.Clusters[Name] = &clientcmdapi.Cluster{Server: endpoint, CertificateAuthorityData: a.pem}
	config.AuthInfos[user] = &clientcmdapi.AuthInfo{
		ClientCertificateData: client.certificate,
		ClientKeyData:         client.key,
	}
	config.Contexts[Name] = &clientcmdapi.Context{Cluster: Name, AuthInfo: user}
	config.CurrentContext = Name
	data, err := clientcmd.Write(*config)
	if err != nil {
		return nil, fmt.Errorf("writing the kubeconfig of %s: %w", user, err)
	}
	return data, nil
}

// openSigningKey makes sure that the key which signs service account tokens
// exists in dir: sa.key, and sa.pub for those who only verify.
func openSigningKey(dir string) error {
	keyPath := filepath.Join(dir, "sa.key")
	if _, err := os.Stat(keyPath); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("making the service account key: %w", err)
	}
	keyPEM, err := encodeKey(key)
	if err != nil {
		return err
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return fmt.Errorf("encoding the service account key: %w", err)
	}
	publicPEM := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})
	if err := os.WriteFile(filepath.Join(dir, "sa.pub"), publicPEM, 0o600); err != nil {
		return fmt.Errorf("writing the service account key: %w", err)
	}
	if err := os.WriteFile(keyPath, keyPEM, 0o600); err != nil {
		return fmt.Errorf("writing the service account key: %w", err)
	}
	return nil
}

// writeKubeconfig mints a kubeconfig into the cluster's directory and returns its path.
func writeKubeconfig(l layout, a *authority, endpoint, user string, groups []string) (string, error) {
	data, err := mintKubeconfig(a, endpoint, user, groups...)
	if err != nil {
		return "", err
	}
	path := l.kubeconfig(user)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		return "", fmt.Errorf("writing the kubeconfig of %s: %w", user, err)
	}
	return path, nil
}

// KubeconfigOf mints a kubeconfig for the cluster of s, from any process that
// may read its directory, and returns the path.
func (s State) KubeconfigOf(user string, groups ...string) (string, error) {
	l := layout{dir: s.Dir}
	a, err := openAuthority(l.file("pki"))
	if err != nil {
		return "", err
	}
	return writeKubeconfig(l, a, s.Endpoint, user, groups)
}
