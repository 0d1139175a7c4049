package contestant

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	flowcontrolv1 "k8s.io/api/flowcontrol/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apiextensions "k8s.io/apiextensions-apiserver/pkg/client/clientset/clientset"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/yaml"

	"github.com/dovetail-sh/dovetail/api/crd"
	"github.com/dovetail-sh/dovetail/internal/rights"
	"github.com/dovetail-sh/dovetail/playground/cluster"
)

// dovetail is the command line of our controller, with the rights of its chart.
func dovetail(ctx context.Context, of *cluster.Cluster, settings Settings, p Program) ([]string, error) {
	admin, kube, err := administrator(of)
	if err != nil {
		return nil, err
	}
	if err := install(ctx, admin, crd.All()); err != nil {
		return nil, err
	}
	err = errors.Join(rights.Grant(ctx, kube, "kwok", namespace, Dovetail), count(ctx, kube, Dovetail))
	if err != nil {
		return nil, err
	}
	path, err := kubeconfig(of, Dovetail)
	if err != nil {
		return nil, err
	}
	var args []string
	if p.Binary == "" {
		args = []string{Dovetail} // the part of the playground's binary
	}
	args = append(append(args, "controller", "--cloud=kwok", "--kubeconfig="+path), shared(of, settings, p)...)
	if settings == Equal {
		args = append(args, "--consolidation-min-saving=0", "--consolidation-payback=0", "--consolidation-pod-price=0")
	}
	return append(args, p.More...), nil
}

// karpenter is the command line of the reference's controller. Its chart's rights are not ours to keep, so it is an
// administrator.
func karpenter(ctx context.Context, of *cluster.Cluster, settings Settings, p Program) ([]string, error) {
	admin, kube, err := administrator(of)
	if err != nil {
		return nil, err
	}
	definitions, err := readDefinitions(filepath.Join(filepath.Dir(p.Binary), "crds"))
	if err != nil {
		return nil, err
	}
	if err := install(ctx, admin, definitions); err != nil {
		return nil, err
	}
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: Karpenter},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: Karpenter, Namespace: namespace}},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
	}
	if _, err := kube.RbacV1().ClusterRoleBindings().Create(ctx, binding, metav1.CreateOptions{}); err != nil {
		return nil, fmt.Errorf("giving Karpenter its rights: %w", err)
	}
	if err := count(ctx, kube, Karpenter); err != nil {
		return nil, err
	}
	if _, err := kubeconfig(of, Karpenter); err != nil {
		return nil, err
	}
	return shared(of, settings, p), nil
}

// FlowSchema is the flow schema of the controller's requests, by which the API server counts them.
const FlowSchema = "arena-controller"

// count gives a controller's requests a flow schema of their own, with the priority that they had without it.
func count(ctx context.Context, kube kubernetes.Interface, account string) error {
	schema := &flowcontrolv1.FlowSchema{ObjectMeta: metav1.ObjectMeta{Name: FlowSchema}}
	schema.Spec = flowcontrolv1.FlowSchemaSpec{
		PriorityLevelConfiguration: flowcontrolv1.PriorityLevelConfigurationReference{Name: "workload-high"},
		MatchingPrecedence:         800, // that of kube-system's service accounts is 900
		DistinguisherMethod: &flowcontrolv1.FlowDistinguisherMethod{
			Type: flowcontrolv1.FlowDistinguisherMethodByUserType,
		},
		Rules: []flowcontrolv1.PolicyRulesWithSubjects{{
			Subjects: []flowcontrolv1.Subject{{
				Kind: flowcontrolv1.SubjectKindUser,
				User: &flowcontrolv1.UserSubject{Name: rights.User(namespace, account)},
			}},
			ResourceRules: []flowcontrolv1.ResourcePolicyRule{{
				Verbs: []string{
					"*",
				}, APIGroups: []string{"*"}, Resources: []string{"*"}, ClusterScope: true, Namespaces: []string{"*"},
			}},
			NonResourceRules: []flowcontrolv1.NonResourcePolicyRule{
				{Verbs: []string{"*"}, NonResourceURLs: []string{"*"}},
			},
		}},
	}
	if _, err := kube.FlowcontrolV1().FlowSchemas().Create(ctx, schema, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("having the requests of %s counted: %w", account, err)
	}
	return nil
}

// environment is what the reference reads from its environment and has no flag for.
func environment(of *cluster.Cluster) []string {
	path, err := kubeconfig(of, Karpenter)
	if err != nil {
		path = "" // the controller says that it finds no cluster
	}
	return []string{"KUBECONFIG=" + path, "SYSTEM_NAMESPACE=" + namespace, "KUBERNETES_MIN_VERSION=1.19.0-0"}
}

// administrator is a client with all rights.
func administrator(of *cluster.Cluster) (*rest.Config, kubernetes.Interface, error) {
	config, err := clientcmd.BuildConfigFromFlags("", of.Kubeconfig())
	if err != nil {
		return nil, nil, fmt.Errorf("reading the cluster's kubeconfig: %w", err)
	}
	kube, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, nil, fmt.Errorf("making a client: %w", err)
	}
	return config, kube, nil
}

// readDefinitions reads the CRDs of a folder.
func readDefinitions(dir string) ([]*apiextensionsv1.CustomResourceDefinition, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("there are no CRDs in %s: %v; hack/arena.sh puts them there", dir, err)
	}
	out := make([]*apiextensionsv1.CustomResourceDefinition, len(files))
	for i, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("reading a CRD: %w", err)
		}
		if err := yaml.Unmarshal(text, &out[i]); err != nil {
			return nil, fmt.Errorf("reading the CRD %s: %w", file, err)
		}
	}
	return out, nil
}

// install creates CRDs and waits until they are served.
func install(ctx context.Context, config *rest.Config, definitions []*apiextensionsv1.CustomResourceDefinition) error {
	client, err := apiextensions.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("making a client: %w", err)
	}
	crds := client.ApiextensionsV1().CustomResourceDefinitions()
	for _, d := range definitions {
		if _, err := crds.Create(ctx, d, metav1.CreateOptions{}); err != nil {
			return fmt.Errorf("installing CRD %s: %w", d.Name, err)
		}
	}
	for _, d := range definitions {
		served := func(ctx context.Context) (bool, error) {
			now, err := crds.Get(ctx, d.Name, metav1.GetOptions{})
			return err == nil && established(now), err
		}
		if err := wait.PollUntilContextTimeout(ctx, poll, patience, true, served); err != nil {
			return fmt.Errorf("waiting until CRD %s is served: %w", d.Name, err)
		}
	}
	return nil
}

func established(d *apiextensionsv1.CustomResourceDefinition) bool {
	for _, c := range d.Status.Conditions {
		if c.Type == apiextensionsv1.Established {
			return c.Status == apiextensionsv1.ConditionTrue
		}
	}
	return false
}
