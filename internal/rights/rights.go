// Package rights says what the controller may do with the Kubernetes API.
//
// The rules are YAML files, the only copy. The Helm chart renders them; Grant puts them into a playground or a test's
// cluster, so that the controller never runs there with a right that the chart does not give it.
package rights

import (
	"context"
	"embed"
	"errors"
	"fmt"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/yaml"
)

//go:embed rules
var files embed.FS

// Cluster are the rules of the ClusterRole, with those of one cloud: "aws" or "kwok".
func Cluster(cloud string) ([]rbacv1.PolicyRule, error) {
	common, err := read("cluster")
	if err != nil {
		return nil, err
	}
	own, err := read(cloud)
	if err != nil {
		return nil, err
	}
	return append(common, own...), nil
}

// Lease are the rules of the Role in the namespace of the leader's lease.
func Lease() ([]rbacv1.PolicyRule, error) { return read("lease") }

func read(name string) ([]rbacv1.PolicyRule, error) {
	text, err := files.ReadFile("rules/" + name + ".yaml")
	if err != nil {
		return nil, fmt.Errorf("reading the rights %q: %w", name, err)
	}
	var rules []rbacv1.PolicyRule
	if err := yaml.UnmarshalStrict(text, &rules); err != nil {
		return nil, fmt.Errorf("reading the rights %q: %w", name, err)
	}
	return rules, nil
}

// Grant creates the roles that the chart creates, and gives them to a service account. Roles of that name that are
// there already get these rules.
func Grant(ctx context.Context, kube kubernetes.Interface, cloud, namespace, account string) error {
	wide, err := Cluster(cloud)
	if err != nil {
		return err
	}
	lease, err := Lease()
	if err != nil {
		return err
	}
	name := metav1.ObjectMeta{Name: account}
	inside := metav1.ObjectMeta{Name: account, Namespace: namespace}
	subjects := []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: account, Namespace: namespace}}
	to := func(kind string) rbacv1.RoleRef {
		return rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: kind, Name: account}
	}
	rbac := kube.RbacV1()
	err = errors.Join(
		put(ctx, rbac.ClusterRoles(), &rbacv1.ClusterRole{ObjectMeta: name, Rules: wide}),
		put(
			ctx,
			rbac.ClusterRoleBindings(),
			&rbacv1.ClusterRoleBinding{ObjectMeta: name, Subjects: subjects, RoleRef: to("ClusterRole")},
		),
		put(ctx, rbac.Roles(namespace), &rbacv1.Role{ObjectMeta: inside, Rules: lease}),
		put(
			ctx,
			rbac.RoleBindings(namespace),
			&rbacv1.RoleBinding{ObjectMeta: inside, Subjects: subjects, RoleRef: to("Role")},
		),
	)
	if err != nil {
		return fmt.Errorf("granting the controller's rights to %s/%s: %w", namespace, account, err)
	}
	return nil
}

// writer creates and updates objects of one kind.
type writer[T any] interface {
	Create(context.Context, T, metav1.CreateOptions) (T, error)
	Update(context.Context, T, metav1.UpdateOptions) (T, error)
}

// put creates an object, or overwrites the one that is there.
func put[T any](ctx context.Context, to writer[T], object T) error {
	_, err := to.Create(ctx, object, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		_, err = to.Update(ctx, object, metav1.UpdateOptions{})
	}
	return err
}

// User is a service account as the API server knows it.
func User(namespace, account string) string {
	return "system:serviceaccount:" + namespace + ":" + account
}
