package scenarios

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/awssim/control"
)

// kinds are what scripts change, by the names that kubectl takes.
var kinds = map[string]schema.GroupVersionKind{
	"deployment":    {Group: "apps", Version: "v1", Kind: "Deployment"},
	"statefulset":   {Group: "apps", Version: "v1", Kind: "StatefulSet"},
	"daemonset":     {Group: "apps", Version: "v1", Kind: "DaemonSet"},
	"job":           {Group: "batch", Version: "v1", Kind: "Job"},
	"node":          {Version: "v1", Kind: "Node"},
	"nodepool":      {Group: "karpenter.sh", Version: "v1", Kind: "NodePool"},
	"nodeclaim":     {Group: "karpenter.sh", Version: "v1", Kind: "NodeClaim"},
	"ec2nodeclass":  {Group: "karpenter.k8s.aws", Version: "v1", Kind: "EC2NodeClass"},
	"poddisruption": {Group: "policy", Version: "v1", Kind: "PodDisruptionBudget"},
}

// patch merges a patch into an object that scripts call "KIND [NAMESPACE/]NAME".
func (s *stage) patch(ctx context.Context, kind, name, patch string) error {
	gvk, ok := kinds[kind]
	if !ok {
		return fmt.Errorf("there is no kind %s in scripts", kind)
	}
	o := &unstructured.Unstructured{}
	o.SetGroupVersionKind(gvk)
	namespace, short, ok := strings.Cut(name, "/")
	if !ok {
		namespace, short = "", name
	}
	o.SetNamespace(namespace)
	o.SetName(short)
	s.home(o)
	if err := s.client.Patch(ctx, o, client.RawPatch(types.MergePatchType, []byte(patch))); err != nil {
		return fmt.Errorf("patching %s %s: %w", kind, name, err)
	}
	return nil
}

func (s *stage) doPatch(ctx context.Context, args []string) error {
	return s.patch(ctx, args[0], args[1], args[2])
}

func (s *stage) doScale(ctx context.Context, args []string) error {
	if _, err := strconv.Atoi(args[2]); err != nil {
		return fmt.Errorf("replicas %s: %w", args[2], err)
	}
	return s.patch(ctx, args[0], args[1], `{"spec":{"replicas":`+args[2]+`}}`)
}

func (s *stage) doRestart(ctx context.Context, args []string) error {
	at := time.Now().Format(time.RFC3339Nano)
	return s.patch(
		ctx,
		args[0],
		args[1],
		`{"spec":{"template":{"metadata":{"annotations":{"kubectl.kubernetes.io/restartedAt":"`+at+`"}}}}}`,
	)
}

func (s *stage) doInterrupt(ctx context.Context, args []string) error {
	selector, err := labels.Parse(args[0])
	if err != nil {
		return err
	}
	var nodes corev1.NodeList
	if err := s.client.List(ctx, &nodes, client.MatchingLabelsSelector{Selector: selector}); err != nil {
		return fmt.Errorf("listing nodes: %w", err)
	}
	var errs []error
	spot := 0
	for i := range nodes.Items {
		if nodes.Items[i].Labels[karpenterv1.CapacityTypeLabelKey] == karpenterv1.CapacityTypeSpot {
			spot++
			errs = append(errs, s.account.Interrupt(ctx, control.Target{Node: nodes.Items[i].Name}))
		}
	}
	if spot == 0 {
		return fmt.Errorf("no spot node has the labels %s", selector)
	}
	return errors.Join(errs...)
}

func (s *stage) doCapacity(ctx context.Context, args []string) error {
	n, err := strconv.Atoi(args[3])
	if err != nil {
		return fmt.Errorf("number %s: %w", args[3], err)
	}
	return s.account.SetCapacity(
		ctx,
		control.Capacity{Type: args[0], Zone: args[1], Capacity: args[2], Available: &n},
	)
}
