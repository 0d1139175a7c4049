package cluster

import (
	"context"
	"fmt"

	rbacv1 "k8s.io/api/rbac/v1"
	resourcev1 "k8s.io/api/resource/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

const (
	// FakeNodeAnnotation, with the value "fake", marks a Node whose kubelet kwok plays.
	FakeNodeAnnotation = "kwok.x-k8s.io/node"

	// RegistrarUser is the user that may create and delete Nodes, as machines
	// that boot do. Its kubeconfig is made at start: see Cluster.KubeconfigOf.
	RegistrarUser = "playground:registrar"

	kwokUser = "playground:kwok"
)

var everything = []string{"get", "list", "watch", "create", "update", "patch", "delete"}

// roles are what the playground's own users may do.
var roles = map[string][]rbacv1.PolicyRule{
	kwokUser: {
		{APIGroups: []string{""}, Resources: []string{"nodes", "pods"}, Verbs: everything},
		{APIGroups: []string{""}, Resources: []string{"nodes/status", "pods/status"}, Verbs: everything},
		{APIGroups: []string{"coordination.k8s.io"}, Resources: []string{"leases"}, Verbs: everything},
		{APIGroups: []string{"", "events.k8s.io"}, Resources: []string{"events"}, Verbs: everything},
		{APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: []string{"get", "list", "watch"}},
		{APIGroups: []string{resourcev1.GroupName}, Resources: []string{"resourceslices"}, Verbs: everything},
		{
			APIGroups: []string{resourcev1.GroupName},
			Resources: []string{"resourceclaims", "resourceclaims/status"},
			Verbs:     []string{"get", "list", "watch", "update", "patch"},
		},
		{
			APIGroups: []string{resourcev1.GroupName},
			Resources: []string{"resourceclaims/driver"},
			Verbs:     []string{resourcev1.VerbPrefixArbitraryNode + "update"},
		},
	},
	RegistrarUser: {
		{APIGroups: []string{""}, Resources: []string{"nodes", "nodes/status"}, Verbs: everything},
		{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"get", "list", "watch", "delete"}},
		{APIGroups: []string{"coordination.k8s.io"}, Resources: []string{"leases"}, Verbs: everything},
		{
			APIGroups: []string{"", "events.k8s.io"},
			Resources: []string{"events"},
			Verbs:     []string{"create", "update", "patch"},
		},
	},
}

// grant creates the roles of the playground's own users, and leaves those that
// an earlier start created.
func grant(ctx context.Context, client kubernetes.Interface) error {
	for _, user := range []string{kwokUser, RegistrarUser} {
		role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: user}, Rules: roles[user]}
		if _, err := client.RbacV1().
			ClusterRoles().
			Create(ctx, role, metav1.CreateOptions{}); err != nil &&
			!apierrors.IsAlreadyExists(err) {
			return fmt.Errorf("creating role %s: %w", user, err)
		}
		binding := &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: user},
			Subjects:   []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: user}},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: user},
		}
		if _, err := client.RbacV1().
			ClusterRoleBindings().
			Create(ctx, binding, metav1.CreateOptions{}); err != nil &&
			!apierrors.IsAlreadyExists(err) {
			return fmt.Errorf("binding role %s: %w", user, err)
		}
	}
	return nil
}
