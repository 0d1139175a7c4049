package rights

import (
	"bytes"
	_ "embed" // for what shadow may read
	"fmt"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

//go:embed shadow.yaml
var shadowRules []byte

// ShadowAccount is the service account that `dovetail shadow` has in kube-system, and the name of its ClusterRole.
const ShadowAccount = "dovetail-shadow"

// Shadow are the rules of who watches a cluster that another controller runs: reading alone.
func Shadow() ([]rbacv1.PolicyRule, error) {
	var rules []rbacv1.PolicyRule
	if err := yaml.UnmarshalStrict(shadowRules, &rules); err != nil {
		return nil, fmt.Errorf("reading the rights of shadow: %w", err)
	}
	return rules, nil
}

// ShadowManifest is what gives them to a service account, for kubectl apply.
func ShadowManifest() ([]byte, error) {
	rules, err := Shadow()
	if err != nil {
		return nil, err
	}
	name := metav1.ObjectMeta{Name: ShadowAccount}
	inside := metav1.ObjectMeta{Name: ShadowAccount, Namespace: metav1.NamespaceSystem}
	account := &corev1.ServiceAccount{ObjectMeta: inside}
	account.APIVersion, account.Kind = "v1", rbacv1.ServiceAccountKind
	role := &rbacv1.ClusterRole{ObjectMeta: name, Rules: rules}
	role.APIVersion, role.Kind = rbacv1.SchemeGroupVersion.String(), "ClusterRole"
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: name,
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: inside.Name, Namespace: inside.Namespace}},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: role.Kind, Name: ShadowAccount},
	}
	binding.APIVersion, binding.Kind = role.APIVersion, "ClusterRoleBinding"
	out := bytes.NewBufferString("# Made from internal/rights/shadow.yaml by `make generate`. " +
		"What `dovetail shadow` needs: it reads, and no more.\n")
	for _, o := range []any{account, role, binding} {
		text, err := yaml.Marshal(o)
		if err != nil {
			return nil, fmt.Errorf("writing the rights of shadow: %w", err)
		}
		out.WriteString("---\n")
		out.Write(text)
	}
	return out.Bytes(), nil
}
