package aws

import (
	"context"
	"fmt"
	"sync"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/dovetail-sh/dovetail/provider/aws/kept"
)

// knownFor is how long what the cluster says of itself is used.
const knownFor = 5 * time.Minute

// dnsService is where clusters made by kubeadm and EKS have their DNS.
var dnsService = client.ObjectKey{Namespace: "kube-system", Name: "kube-dns"}

type eksAPI interface {
	DescribeCluster(context.Context, *eks.DescribeClusterInput, ...func(*eks.Options)) (*eks.DescribeClusterOutput, error)
}

// cluster is what nodes have to know to join.
type cluster struct {
	name, region  string
	eks           eksAPI
	live          client.Reader
	askVersion    func(context.Context) (string, error)
	facts         *kept.Answers[string, string]
	askEKSVersion bool

	mu           sync.RWMutex // guards the fields below, which are set once
	endpointURL  string
	authorityB64 string
}

func newCluster(s Settings, region string, api eksAPI, live client.Reader, clock clock.PassiveClock, version func(context.Context) (string, error)) *cluster {
	return &cluster{
		name: s.ClusterName, region: region, eks: api, live: live, askVersion: version,
		facts:         kept.New[string, string](clock, knownFor),
		askEKSVersion: s.EKSControlPlane || version == nil,
		endpointURL:   s.ClusterEndpoint, authorityB64: s.ClusterCABundle,
	}
}

// discover asks EKS for what the settings leave out.
func (c *cluster) discover(ctx context.Context) error {
	if c.endpoint() != "" && c.authority() != "" {
		return nil
	}
	described, err := c.describe(ctx)
	if err != nil {
		return fmt.Errorf("%w; set cluster-endpoint and cluster-ca-bundle if the cluster is not on EKS", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.endpointURL == "" {
		c.endpointURL = awssdk.ToString(described.Endpoint)
	}
	if c.authorityB64 == "" && described.CertificateAuthority != nil {
		c.authorityB64 = awssdk.ToString(described.CertificateAuthority.Data)
	}
	if c.endpointURL == "" {
		return fmt.Errorf("EKS cluster %s has no endpoint yet; wait until it is active, or set cluster-endpoint", c.name)
	}
	return nil
}

func (c *cluster) describe(ctx context.Context) (*ekstypes.Cluster, error) {
	out, err := c.eks.DescribeCluster(ctx, &eks.DescribeClusterInput{Name: awssdk.String(c.name)})
	if err != nil {
		return nil, fmt.Errorf("describing EKS cluster %s in %s: %w", c.name, c.region, err)
	}
	return out.Cluster, nil
}

// endpoint is the API server's URL.
func (c *cluster) endpoint() string {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.endpointURL
}

// authority is what nodes trust the API server by, base64.
func (c *cluster) authority() string {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.authorityB64
}

// version is that of Kubernetes, such as "1.36".
func (c *cluster) version(ctx context.Context) (string, error) {
	return c.facts.Get("version", func() (string, error) {
		if !c.askEKSVersion {
			return c.askVersion(ctx)
		}
		described, err := c.describe(ctx)
		if err != nil {
			return "", err
		}
		return awssdk.ToString(described.Version), nil
	})
}

// serviceCIDR is the range of addresses of services, which nodeadm wants to know.
func (c *cluster) serviceCIDR(ctx context.Context) (string, error) {
	return c.facts.Get("service CIDR", func() (string, error) {
		described, err := c.describe(ctx)
		if err != nil {
			return "", err
		}
		if n := described.KubernetesNetworkConfig; n != nil {
			if cidr := awssdk.ToString(n.ServiceIpv4Cidr); cidr != "" {
				return cidr, nil
			}
			if cidr := awssdk.ToString(n.ServiceIpv6Cidr); cidr != "" {
				return cidr, nil
			}
		}
		return "", fmt.Errorf("EKS cluster %s tells no service CIDR", c.name)
	})
}

// dns lists the addresses of the cluster's DNS service, none if there is none.
func (c *cluster) dns(ctx context.Context) ([]string, error) {
	ip, err := c.facts.Get("dns", func() (string, error) {
		service := &corev1.Service{}
		err := c.live.Get(ctx, dnsService, service)
		if apierrors.IsNotFound(err) {
			return "", nil
		}
		if err != nil {
			return "", fmt.Errorf("finding the cluster's DNS service %s: %w", dnsService, err)
		}
		return service.Spec.ClusterIP, nil
	})
	if err != nil || ip == "" || ip == corev1.ClusterIPNone {
		return nil, err
	}
	return []string{ip}, nil
}
