package integration

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// estate is what objects of a cluster were before another controller took over, whatever their fields are called.
type estate map[string]*unstructured.Unstructured // by kind and UID

// handedOver are the kinds of which nothing may be lost.
var handedOver = []schema.GroupVersionKind{
	{Group: "karpenter.sh", Version: "v1", Kind: "NodePool"},
	{Group: "karpenter.sh", Version: "v1", Kind: "NodeClaim"},
	{Group: "karpenter.kwok.sh", Version: "v1alpha1", Kind: "KWOKNodeClass"},
	{Group: "karpenter.k8s.aws", Version: "v1", Kind: "EC2NodeClass"},
	{Version: "v1", Kind: "Node"},
}

// keep reads all objects of those of these kinds that the cluster has.
func keep(t *testing.T, from client.Reader) estate {
	t.Helper()
	out := estate{}
	for _, kind := range handedOver {
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(kind)
		if err := from.List(t.Context(), list); meta.IsNoMatchError(err) {
			continue
		} else if err != nil {
			t.Fatal(err)
		}
		for i := range list.Items {
			o := &list.Items[i]
			out[kind.Kind+" "+string(o.GetUID())] = o
		}
	}
	return out
}

// lost says of objects that were there before what is lost now: they themselves, or fields. Conditions and counts of
// what is used change with the world.
func (before estate) lost(now estate) (out []string) {
	for _, key := range slices.Sorted(maps.Keys(before)) {
		was, is := before[key], now[key]
		name := was.GetKind() + " " + was.GetName()
		switch {
		case is == nil:
			out = append(out, name+" is gone")
			continue
		case is.GetDeletionTimestamp() != nil:
			out = append(out, name+" is being deleted")
		}
		for _, path := range [][]string{
			{"spec"}, {"metadata", "labels"}, {"metadata", "annotations"}, {"metadata", "finalizers"},
			{"metadata", "ownerReferences"}, {"status", "providerID"}, {"status", "nodeName"}, {"status", "imageID"},
			{"status", "capacity"}, {"status", "allocatable"},
		} {
			then, found, _ := unstructured.NestedFieldNoCopy(was.Object, path...)
			if found {
				after, _, _ := unstructured.NestedFieldNoCopy(is.Object, path...)
				then = withoutOldHashes(then, after)
				out = append(out, differences(name+": "+strings.Join(path, "."), then, after)...)
			}
		}
		if drifted(is) {
			out = append(out, name+" has drifted")
		}
	}
	return out
}

// withoutOldHashes are annotations without the hashes that were written anew, as each version of Karpenter does with
// those of another version: whether that was done well is seen by what has drifted.
func withoutOldHashes(was, is any) any {
	before, _ := was.(map[string]any)
	after, _ := is.(map[string]any)
	out := maps.Clone(before)
	for key := range before {
		hash, ok := strings.CutSuffix(key, "-version")
		if ok && strings.HasSuffix(hash, "-hash") && after[key] != nil && before[key] != after[key] {
			delete(out, key)
			delete(out, hash)
		}
	}
	if len(out) == len(before) {
		return was
	}
	return out
}

// differences are the leaves of a tree that another has not, or with another value.
func differences(path string, was, is any) (out []string) {
	switch was := was.(type) {
	case map[string]any:
		is, _ := is.(map[string]any)
		for _, key := range slices.Sorted(maps.Keys(was)) {
			out = append(out, differences(path+"."+key, was[key], is[key])...)
		}
	case []any:
		is, _ := is.([]any)
		for i, item := range was {
			if ofTheNode(item) {
				continue
			}
			if !slices.ContainsFunc(is, func(other any) bool { return len(differences("", item, other)) == 0 }) {
				out = append(out, fmt.Sprintf("%s[%d] was %v and is missing in %v", path, i, item, is))
			}
		}
	default:
		if !reflect.DeepEqual(was, is) {
			out = append(out, fmt.Sprintf("%s was %v and is %v", path, was, is))
		}
	}
	return out
}

// ofTheNode reports whether an item is a taint that says how a node is, and goes when it is well.
func ofTheNode(item any) bool {
	taint, _ := item.(map[string]any)
	key, _ := taint["key"].(string)
	return strings.HasPrefix(key, "node.kubernetes.io/") && taint["effect"] != nil
}

func drifted(o *unstructured.Unstructured) bool {
	conditions, _, _ := unstructured.NestedSlice(o.Object, "status", "conditions")
	return slices.ContainsFunc(conditions, func(c any) bool {
		condition, _ := c.(map[string]any)
		return condition["type"] == "Drifted" && condition["status"] == "True"
	})
}

// A hash of the same version must stay; one of another version is written anew with its version.
func TestHashesOfOtherVersionsMayChange(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		hash, version string
		lost          int
	}{{"1", "v5", 0}, {"2", "v6", 0}, {"2", "v5", 1}} {
		is := map[string]any{"a/pool-hash": c.hash, "a/pool-hash-version": c.version}
		was := withoutOldHashes(map[string]any{"a/pool-hash": "1", "a/pool-hash-version": "v5"}, is)
		if got := differences("", was, is); len(got) != c.lost {
			t.Errorf("hash %s of %s: %q, want %d", c.hash, c.version, got, c.lost)
		}
	}
}

// What is lost is seen, at any depth; what came besides is no loss.
func TestLossesAreSeen(t *testing.T) {
	t.Parallel()
	object := func(spec map[string]any) estate {
		o := &unstructured.Unstructured{Object: map[string]any{"kind": "NodePool", "spec": spec}}
		o.SetName("web")
		return estate{"NodePool 1": o}
	}
	before := object(map[string]any{"a": map[string]any{"b": "c"}, "list": []any{map[string]any{"k": "x"}, "y"}})
	for _, c := range []struct {
		now  estate
		lost int
	}{
		{estate{}, 1},
		{object(map[string]any{"a": map[string]any{"b": "c", "more": 1},
			"list": []any{"y", "z", map[string]any{"k": "x"}}}), 0},
		{object(map[string]any{"a": map[string]any{}, "list": []any{map[string]any{"k": "x"}, "y"}}), 1},
		{object(map[string]any{"a": map[string]any{"b": "c"}, "list": []any{map[string]any{"k": "other"}}}), 2},
	} {
		if got := before.lost(c.now); len(got) != c.lost {
			t.Errorf("%d losses are seen, want %d: %q", len(got), c.lost, got)
		}
	}
}
