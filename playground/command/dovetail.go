package command

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apiextensions "k8s.io/apiextensions-apiserver/pkg/client/clientset/clientset"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/dovetail-sh/dovetail/api/crd"
	"github.com/dovetail-sh/dovetail/internal/config"
	"github.com/dovetail-sh/dovetail/internal/rights"
	"github.com/dovetail-sh/dovetail/playground/cluster"
)

// serviceAccount is the controller's, as the chart calls it.
const serviceAccount = "karpenter"

// What dovetail listens on, by the names under which the cluster keeps addresses.
const (
	metricsOfDovetail = withDovetail
	healthOfDovetail  = "dovetail-health"
	webOfDovetail     = "dovetail-web"
)

// dovetailArgs is dovetail's command line. It also installs the CRDs.
func dovetailArgs(ctx context.Context, c *cluster.Cluster, aws bool) ([]string, error) {
	if err := installCRDs(ctx, c.Kubeconfig()); err != nil {
		return nil, err
	}
	cloud := config.CloudKWOK
	if aws {
		cloud = config.CloudAWS
	}
	if err := grant(ctx, c.Kubeconfig(), cloud); err != nil {
		return nil, err
	}
	kubeconfig, err := c.KubeconfigOf(rights.User(metav1.NamespaceSystem, serviceAccount))
	if err != nil {
		return nil, err
	}
	metrics, err := port(c, metricsOfDovetail)
	if err != nil {
		return nil, err
	}
	health, err := port(c, healthOfDovetail)
	if err != nil {
		return nil, err
	}
	page, err := c.Address(webOfDovetail)
	if err != nil {
		return nil, err
	}
	args := []string{
		withDovetail, "controller", "--kubeconfig=" + kubeconfig,
		"--listen-address=127.0.0.1", "--metrics-port=" + metrics, "--health-probe-port=" + health,
		"--web-address=" + page, "--journal-dir=" + filepath.Join(c.Dir(), "journal"),
		// There is only this one, and after a crash it is not to wait for its own lease.
		"--disable-leader-election",
		"--kube-client-qps=1000", "--kube-client-burst=2000",
	}
	args = append(args, "--cloud="+cloud)
	if !aws {
		return args, nil
	}
	return append(args, "--cluster-name="+clusterName, "--interruption-queue="+clusterName), nil
}

func port(c *cluster.Cluster, name string) (string, error) {
	address, err := c.Address(name)
	if err != nil {
		return "", err
	}
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return "", fmt.Errorf("reading the address of %s: %w", name, err)
	}
	return port, nil
}

// grant gives dovetail the rights that its chart gives it.
func grant(ctx context.Context, kubeconfig, cloud string) error {
	admin, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return fmt.Errorf("reading the kubeconfig: %w", err)
	}
	kube, err := kubernetes.NewForConfig(admin)
	if err != nil {
		return fmt.Errorf("making a client: %w", err)
	}
	return rights.Grant(ctx, kube, cloud, metav1.NamespaceSystem, serviceAccount)
}

// installCRDs creates or updates Dovetail's CRDs and waits until they are served.
func installCRDs(ctx context.Context, kubeconfig string) error {
	admin, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return fmt.Errorf("reading the kubeconfig: %w", err)
	}
	client, err := apiextensions.NewForConfig(admin)
	if err != nil {
		return fmt.Errorf("making a client: %w", err)
	}
	crds := client.ApiextensionsV1().CustomResourceDefinitions()
	for _, definition := range crd.All() {
		_, err := crds.Create(ctx, definition, metav1.CreateOptions{})
		if apierrors.IsAlreadyExists(err) {
			var old *apiextensionsv1.CustomResourceDefinition
			if old, err = crds.Get(ctx, definition.Name, metav1.GetOptions{}); err == nil {
				definition.ResourceVersion = old.ResourceVersion
				_, err = crds.Update(ctx, definition, metav1.UpdateOptions{})
			}
		}
		if err != nil {
			return fmt.Errorf("installing CRD %s: %w", definition.Name, err)
		}
	}
	for _, definition := range crd.All() {
		err := wait.PollUntilContextTimeout(
			ctx,
			50*time.Millisecond,
			30*time.Second,
			true,
			func(ctx context.Context) (bool, error) {
				now, err := crds.Get(ctx, definition.Name, metav1.GetOptions{})
				if err != nil {
					return false, err
				}
				return established(now), nil
			},
		)
		if errors.Is(err, context.DeadlineExceeded) {
			return fmt.Errorf("waiting for CRD %s: it is not served; its conditions say why", definition.Name)
		}
		if err != nil {
			return fmt.Errorf("waiting for CRD %s: %w", definition.Name, err)
		}
	}
	return nil
}

func established(definition *apiextensionsv1.CustomResourceDefinition) bool {
	for _, condition := range definition.Status.Conditions {
		if condition.Type == apiextensionsv1.Established {
			return condition.Status == apiextensionsv1.ConditionTrue
		}
	}
	return false
}
