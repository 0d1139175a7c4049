package rights

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
)

// clouds are those with rules of their own.
var clouds = []string{"aws", "kwok"}

// Every rule names what it is for, and none reaches what the controller has no business with.
func TestRulesAreNarrow(t *testing.T) {
	t.Parallel()
	lease, err := Lease()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]rbacv1.PolicyRule{"lease": lease}
	for _, cloud := range clouds {
		if all[cloud], err = Cluster(cloud); err != nil {
			t.Fatal(err)
		}
	}
	for name, rules := range all {
		for _, rule := range rules {
			if why := tooWide(rule); why != "" {
				t.Errorf("%s: a rule is %s: %v", name, why, rule)
			}
		}
	}
}

// tooWide is why nobody should have a rule, or empty.
func tooWide(rule rbacv1.PolicyRule) string {
	if slices.Contains(slices.Concat(rule.APIGroups, rule.Resources, rule.Verbs), "*") {
		return "for everything"
	}
	if len(rule.Resources) == 0 || len(rule.Verbs) == 0 {
		return "for nothing"
	}
	for _, secret := range []string{"secrets", "configmaps", "serviceaccounts/token", "pods/exec", "roles",
		"clusterroles"} {
		if slices.Contains(rule.Resources, secret) {
			return "for " + secret
		}
	}
	return ""
}

func TestACloudWithoutRulesIsAnError(t *testing.T) {
	t.Parallel()
	if _, err := Cluster("mars"); err == nil {
		t.Error("there are rules for a cloud that is not there")
	}
}

// Grant gives what the files say, and gives it again where something else was there.
func TestGrantIsRepeatable(t *testing.T) {
	t.Parallel()
	kube := fake.NewClientset(&rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: "dovetail"},
		Rules:      []rbacv1.PolicyRule{{APIGroups: []string{"*"}, Resources: []string{"*"}, Verbs: []string{"*"}}},
	})
	for range 2 {
		if err := Grant(t.Context(), kube, "kwok", "kube-system", "dovetail"); err != nil {
			t.Fatal(err)
		}
	}
	got, err := kube.RbacV1().ClusterRoles().Get(t.Context(), "dovetail", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	want, err := Cluster("kwok")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got.Rules); diff != "" {
		t.Errorf("the role differs from the rules (-want +got):\n%s", diff)
	}
	binding, err := kube.RbacV1().RoleBindings("kube-system").Get(t.Context(), "dovetail", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	subject := rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Name: "dovetail", Namespace: "kube-system"}
	if !slices.Contains(binding.Subjects, subject) || binding.RoleRef.Name != "dovetail" {
		t.Errorf("the lease's role is bound to %v as %v", binding.Subjects, binding.RoleRef)
	}
}
