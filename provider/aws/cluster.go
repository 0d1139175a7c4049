package aws

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
	appsv1 "k8s.io/api/apps/v1"
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
	DescribeCluster(
		context.Context,
		*eks.DescribeClusterInput,
		...func(*eks.Options),
	) (*eks.DescribeClusterOutput, error)
}

// cluster is what nodes have to know to join.
type cluster struct {
	name, region  string
	eks           eksAPI
	live          client.Reader
	askVersion    func(context.Context) (string, error)
	facts         *kept.Answers[string, string]
	askEKSVersion bool

	mu           sync.RWMutex // guards the fields below
	endpointURL  string       // set once, as is the next
	authorityB64 string
	prefixes     bool
	fixed        map[string]string // facts that never change, once they are known
}

func newCluster(
	s Settings,
	region string,
	api eksAPI,
	live client.Reader,
	clock clock.PassiveClock,
	version func(context.Context) (string, error),
) *cluster {
	return &cluster{
		name: s.ClusterName, region: region, eks: api, live: live, askVersion: version,
		facts:         kept.New[string, string](clock, knownFor),
		askEKSVersion: s.EKSControlPlane || version == nil,
		endpointURL:   s.ClusterEndpoint, authorityB64: s.ClusterCABundle, fixed: map[string]string{},
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
		return fmt.Errorf(
			"EKS cluster %s has no endpoint yet; wait until it is active, or set cluster-endpoint",
			c.name,
		)
	}
	return nil
}

func (c *cluster) describe(ctx context.Context) (*ekstypes.Cluster, error) {
	out, err := c.eks.DescribeCluster(ctx, &eks.DescribeClusterInput{Name: awssdk.String(c.name)})
	if err != nil {
		return nil, fmt.Errorf("describing EKS cluster %s in %s: %w", c.name, c.region, err)
	}
	if out.Cluster == nil {
		return nil, fmt.Errorf("describing EKS cluster %s in %s: the answer is empty", c.name, c.region)
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

// once asks for a fact that never changes until it is known, so that a failure of EKS later on stops nothing.
func (c *cluster) once(name string, ask func() (string, error)) (string, error) {
	c.mu.RLock()
	known, ok := c.fixed[name]
	c.mu.RUnlock()
	if ok {
		return known, nil
	}
	value, err := ask()
	if err != nil {
		return "", err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fixed[name] = value
	return value, nil
}

// arn names the cluster to other services of AWS.
func (c *cluster) arn(ctx context.Context) (string, error) {
	return c.once("ARN", func() (string, error) {
		described, err := c.describe(ctx)
		if err != nil {
			return "", err
		}
		return awssdk.ToString(described.Arn), nil
	})
}

// cniDaemon is where the VPC CNI runs, and prefixVariable makes it give interfaces prefixes.
var cniDaemon = client.ObjectKey{Namespace: "kube-system", Name: "aws-node"}

const prefixVariable = "ENABLE_PREFIX_DELEGATION"

// learnCNI reads how the VPC CNI is set. A cluster without it, or one that does not let us read it, has no prefixes.
func (c *cluster) learnCNI(ctx context.Context) {
	value, err := c.facts.Get("prefix delegation", func() (string, error) {
		daemon := &appsv1.DaemonSet{}
		if err := c.live.Get(ctx, cniDaemon, daemon); err != nil {
			if apierrors.IsNotFound(err) {
				return "", nil
			}
			return "", fmt.Errorf("reading the VPC CNI's DaemonSet %s: %w", cniDaemon, err)
		}
		for _, container := range daemon.Spec.Template.Spec.Containers {
			for _, variable := range container.Env {
				if variable.Name == prefixVariable {
					return variable.Value, nil
				}
			}
		}
		return "", nil
	})
	if err != nil {
		return // what was known stays: a node must not change its size because the API server is slow
	}
	on, err := strconv.ParseBool(value)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.prefixes = err == nil && on
}

// delegatesPrefixes reports whether the VPC CNI was last seen to give interfaces prefixes.
func (c *cluster) delegatesPrefixes() bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.prefixes
}

// serviceCIDR is the range of addresses of services, which nodeadm wants to know.
func (c *cluster) serviceCIDR(ctx context.Context) (string, error) {
	return c.once("service CIDR", func() (string, error) {
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
