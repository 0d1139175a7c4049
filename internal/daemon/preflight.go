package daemon

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	autoscalingv1beta1 "github.com/dovetail-sh/dovetail/api/autoscaling/v1beta1"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	karpenterv1alpha1 "github.com/dovetail-sh/dovetail/api/karpenter/v1alpha1"
	"github.com/dovetail-sh/dovetail/internal/config"
)

// preflightTimeout is how long the API server may take to answer the first question.
const preflightTimeout = 15 * time.Second

// ErrNoServer is that nothing given says where the API server is. Nothing was contacted.
var ErrNoServer = errors.New("finding the API server")

// restConfig finds the API server: what the caller brought, else --kubeconfig, else the
// pod's service account, else KUBECONFIG and the usual file.
func restConfig(c config.Config, given *rest.Config) (*rest.Config, error) {
	kube := given
	if kube == nil {
		var err error
		if kube, err = findConfig(c.Kubeconfig); err != nil {
			return nil, err
		}
	}
	kube = rest.CopyConfig(kube)
	kube.QPS, kube.Burst = float32(c.Kube.QPS), c.Kube.Burst
	kube.UserAgent = "dovetail"
	return kube, nil
}

func findConfig(path string) (*rest.Config, error) {
	if path == "" {
		if kube, err := rest.InClusterConfig(); err == nil {
			return kube, nil
		}
	}
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = path
	kube, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, nil).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf(
			"%w: %w; run in a pod with a service account, or set KUBECONFIG or --kubeconfig to a kubeconfig that works with kubectl",
			ErrNoServer,
			err,
		)
	}
	return kube, nil
}

// preflight checks that the API server answers, knows us, and has our kinds.
func preflight(ctx context.Context, kube *rest.Config, c config.Config) error {
	ctx, cancel := context.WithTimeout(ctx, preflightTimeout)
	defer cancel()
	patient := rest.CopyConfig(kube)
	patient.Timeout = preflightTimeout
	ask, err := discovery.NewDiscoveryClientForConfig(patient)
	if err != nil {
		return fmt.Errorf("reading the client configuration for %s: %w", kube.Host, err)
	}
	// Unlike /version, this needs credentials that are valid.
	if err := ask.RESTClient().Get().AbsPath("/apis").Do(ctx).Error(); err != nil {
		return explain(err, kube.Host)
	}
	missing, err := missingKinds(ask, c)
	if err != nil {
		return explain(err, kube.Host)
	}
	if len(missing) > 0 {
		return fmt.Errorf(
			"the API server at %s does not serve %s; install the CRDs: helm install dovetail-crd charts/dovetail-crd, or kubectl apply -f api/crd",
			kube.Host,
			strings.Join(missing, " and "),
		)
	}
	return nil
}

// explain says what an answer of the API server means for the operator.
func explain(err error, host string) error {
	switch {
	case apierrors.IsUnauthorized(err):
		return fmt.Errorf(
			"the API server at %s does not accept the credentials (401); check the service account's token or the user in the kubeconfig: %w",
			host,
			err,
		)
	case apierrors.IsForbidden(err):
		return fmt.Errorf(
			"the API server at %s denies access (403); check that the ClusterRole of the chart is bound to this user: %w",
			host,
			err,
		)
	default:
		return fmt.Errorf(
			"the API server at %s does not answer: %w; check that it runs and that the address in KUBECONFIG or --kubeconfig is right",
			host,
			err,
		)
	}
}

// wanted are the kinds without which the daemon cannot work.
func wanted(c config.Config) []metav1.GroupVersionKind {
	kinds := []metav1.GroupVersionKind{
		{Group: karpenterv1.Group, Version: karpenterv1.GroupVersion.Version, Kind: "NodePool"},
		{Group: karpenterv1.Group, Version: karpenterv1.GroupVersion.Version, Kind: "NodeClaim"},
	}
	if c.Gates.NodeOverlay {
		kinds = append(
			kinds,
			metav1.GroupVersionKind{
				Group:   karpenterv1alpha1.Group,
				Version: karpenterv1alpha1.GroupVersion.Version,
				Kind:    "NodeOverlay",
			},
		)
	}
	if c.Gates.CapacityBuffer {
		kinds = append(
			kinds,
			metav1.GroupVersionKind{
				Group:   autoscalingv1beta1.GroupVersion.Group,
				Version: autoscalingv1beta1.GroupVersion.Version,
				Kind:    "CapacityBuffer",
			},
		)
	}
	for _, class := range classesOf(c) {
		gvks, _, err := Scheme().ObjectKinds(class)
		if err == nil && len(gvks) > 0 {
			kinds = append(kinds, metav1.GroupVersionKind(gvks[0]))
		}
	}
	return kinds
}

func missingKinds(ask discovery.DiscoveryInterface, c config.Config) ([]string, error) {
	var missing []string
	for _, kind := range wanted(c) {
		version := kind.Group + "/" + kind.Version
		list, err := ask.ServerResourcesForGroupVersion(version)
		if err != nil && !apierrors.IsNotFound(err) {
			return nil, err
		}
		if list == nil ||
			!slices.ContainsFunc(list.APIResources, func(r metav1.APIResource) bool { return r.Kind == kind.Kind }) {
			missing = append(missing, fmt.Sprintf("%s (%s)", kind.Kind, version))
		}
	}
	return missing, nil
}

// served is the readiness check for the CRDs.
func (d *Daemon) served(*http.Request) error {
	for _, kind := range wanted(d.config) {
		gk := karpenterv1.GroupVersion.WithKind(kind.Kind).GroupKind()
		gk.Group = kind.Group
		if _, err := d.manager.GetRESTMapper().RESTMapping(gk, kind.Version); err != nil {
			return errors.New(kind.Kind + " is not served")
		}
	}
	return nil
}
