package checkup

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/dovetail-sh/dovetail/api/crd"
	"github.com/dovetail-sh/dovetail/internal/rival"
)

// Server is what only a live server tells.
type Server struct {
	Definitions []unstructured.Unstructured // all custom resource definitions; nil if they may not be read
	Leases      []coordinationv1.Lease
	Clock       time.Time // the server's; zero if it does not say
}

// lease is what controllers that speak Karpenter's API lead by.
const lease = rival.Usual

// Ask reads what a server tells, as far as one may, and says what one may not.
func Ask(ctx context.Context, from client.Reader, clock time.Time) (s *Server, missing []string, err error) {
	s = &Server{Clock: clock}
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(
		schema.GroupVersionKind{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinitionList"},
	)
	switch err := from.List(ctx, list); {
	case err == nil:
		s.Definitions = list.Items
		if s.Definitions == nil {
			s.Definitions = []unstructured.Unstructured{}
		}
	case apierrors.IsForbidden(err):
		missing = append(missing, "CustomResourceDefinitions, which you may not list")
	default:
		return nil, nil, fmt.Errorf("reading the cluster: %w", err)
	}
	var leases coordinationv1.LeaseList
	switch err := from.List(ctx, &leases); {
	case err == nil:
		s.Leases = leases.Items
	case apierrors.IsForbidden(err), meta.IsNoMatchError(err):
		missing = append(missing, "Leases, which you may not list")
	default:
		return nil, nil, fmt.Errorf("reading the cluster: %w", err)
	}
	return s, missing, nil
}

func unreadable(in *Input) (out []found, err error) {
	for _, m := range in.Missing {
		if strings.Contains(m, "you may not list") {
			kind, _, _ := strings.Cut(m, ",")
			name, _, _ := strings.Cut(kind, " ")
			out = append(
				out,
				found{
					kind,
					"you may not list them, so nothing of them is checked",
					"kubectl auth can-i list " + strings.ToLower(name) + " --all-namespaces",
				},
			)
		}
	}
	return out, nil
}

const applyDefinitions = "helm upgrade --install dovetail-crd charts/dovetail-crd --take-ownership"

// definitions compares those that are installed with those that this version comes with. Before an installation none
// need be there.
func definitions(in *Input) (out []found, err error) {
	if in.Server == nil || in.Server.Definitions == nil {
		return nil, nil
	}
	for _, want := range crd.All() {
		i := slices.IndexFunc(
			in.Server.Definitions,
			func(d unstructured.Unstructured) bool { return d.GetName() == want.Name },
		)
		if i < 0 {
			if !in.Before {
				out = append(
					out,
					found{"CustomResourceDefinition " + want.Name, "it is not installed", applyDefinitions},
				)
			}
			continue
		}
		served := versions(in.Server.Definitions[i], true)
		for _, v := range want.Spec.Versions {
			if v.Served && !slices.Contains(served, v.Name) {
				out = append(
					out,
					found{
						"CustomResourceDefinition " + want.Name,
						fmt.Sprintf("it serves %s, and %s is needed", strings.Join(served, ", "), v.Name),
						applyDefinitions,
					},
				)
			}
		}
	}
	return out, nil
}

// versions are the names of a definition's versions.
func versions(d unstructured.Unstructured, servedOnly bool) (out []string) {
	list, _, _ := unstructured.NestedSlice(d.Object, "spec", "versions")
	for _, item := range list {
		v, ok := item.(map[string]any)
		if !ok {
			continue
		}
		name, _ := v["name"].(string)
		if served, _ := v["served"].(bool); served || !servedOnly {
			out = append(out, name)
		}
	}
	return out
}

// storedVersions finds objects that are still stored in a version which the definitions of this project do not have: an
// upgrade of the definitions would be refused.
func storedVersions(in *Input) (out []found, err error) {
	if in.Server == nil {
		return nil, nil
	}
	for _, want := range crd.All() {
		var known []string
		for _, v := range want.Spec.Versions {
			known = append(known, v.Name)
		}
		for _, d := range in.Server.Definitions {
			if d.GetName() != want.Name {
				continue
			}
			stored, _, _ := unstructured.NestedStringSlice(d.Object, "status", "storedVersions")
			for _, v := range stored {
				if !slices.Contains(known, v) {
					out = append(
						out,
						found{
							"CustomResourceDefinition " + want.Name,
							fmt.Sprintf("status.storedVersions still names %s, which is not served any more", v),
							fmt.Sprintf(
								"kubectl patch crd %s --subresource status --type merge -p "+
									"'{\"status\":{\"storedVersions\":[%q]}}'   # after all objects were written anew",
								want.Name,
								known[0],
							),
						},
					)
				}
			}
		}
	}
	return out, nil
}

// leaders are the leases that somebody holds now.
func leaders(in *Input) (out []string) {
	if in.Server == nil {
		return nil
	}
	for _, l := range in.Server.Leases {
		if !rival.OfController(&l) || l.Spec.HolderIdentity == nil || *l.Spec.HolderIdentity == "" ||
			l.Spec.RenewTime == nil {
			continue
		}
		if age(in.Now, l.Spec.RenewTime.Time) < time.Minute {
			out = append(out, l.Namespace+" (Lease "+l.Name+", "+*l.Spec.HolderIdentity+")")
		}
	}
	slices.Sort(out)
	return out
}

func twoWriters(in *Input) (out []found, err error) {
	if list := leaders(in); len(list) > 1 {
		out = append(
			out,
			found{
				"Lease " + lease,
				"several controllers lead at once, and undo each other's work: " + strings.Join(
					list,
					", ",
				),
				"kubectl get leases -A --field-selector metadata.namespace!=kube-node-lease   # scale all but one to 0",
			},
		)
	}
	return out, nil
}

func otherWriter(in *Input) (out []found, err error) {
	if list := leaders(in); len(list) > 0 {
		out = append(
			out,
			found{
				"Lease " + lease,
				"a controller runs already in " + strings.Join(
					list,
					", ",
				) + "; a second one must take its place, not stand beside it",
				"kubectl scale deployment karpenter --replicas 0 -n " + strings.SplitN(list[0], " ", 2)[0],
			},
		)
	}
	return out, nil
}

// mostSkew is how far clocks may differ: credentials of clouds are refused at five minutes.
const mostSkew = time.Minute

func clocks(in *Input) (out []found, err error) {
	if in.Server == nil || in.Server.Clock.IsZero() {
		return nil, nil
	}
	if skew := in.Now.Sub(in.Server.Clock).Abs(); skew > mostSkew {
		out = append(
			out,
			found{
				"clock",
				fmt.Sprintf("the API server's clock and this machine's differ by %s", skew.Round(time.Second)),
				"timedatectl set-ntp true",
			},
		)
	}
	return out, nil
}
