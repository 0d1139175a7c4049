package capture

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/dovetail-sh/dovetail/internal/manifest"
)

// Access is what of a cluster may be followed.
type Access struct {
	Followed    []client.Object  // one of each kind that may be listed
	InNamespace []client.Object  // those of Followed that may be listed in one namespace only
	Barred      map[string]error // by NameOf: why a kind may not be listed, or not all of it
}

// errPartly marks kinds that may be listed in one namespace.
var errPartly = errors.New("only in one namespace")

// Partly reports whether a kind that is barred may be listed in one namespace all the same.
func Partly(err error) bool { return errors.Is(err, errPartly) }

// Probe asks for one object of each kind. The error is for a server that does not answer.
func Probe(ctx context.Context, from client.Reader, namespace string) (Access, error) {
	out := Access{Barred: map[string]error{}}
	for _, l := range parts(&manifest.Set{}) {
		name, object := NameOf(l.list), itemOf(l.list)
		err := from.List(ctx, l.list, client.Limit(1))
		switch {
		case err == nil:
			out.Followed = append(out.Followed, object)
		case apierrors.IsForbidden(err) && namespace != "" && inNamespaces(l.list) &&
			from.List(ctx, l.list, client.InNamespace(namespace), client.Limit(1)) == nil:
			out.Followed, out.InNamespace = append(out.Followed, object), append(out.InNamespace, object)
			out.Barred[name] = partly{err}
		case apierrors.IsForbidden(err), meta.IsNoMatchError(err):
			out.Barred[name] = err
		default:
			return out, fmt.Errorf("reading the cluster: %w", err)
		}
	}
	return out, nil
}

// partly is what the server said of all namespaces.
type partly struct{ error }

// Unwrap has both found: what the server said, and that one namespace is open.
func (p partly) Unwrap() []error { return []error{p.error, errPartly} }

// itemOf is an empty object of the kind that a list lists.
func itemOf(list client.ObjectList) client.Object {
	items := reflect.ValueOf(list).Elem().FieldByName("Items").Type().Elem()
	return reflect.New(items).Interface().(client.Object)
}
