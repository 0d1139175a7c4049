package buffer

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	autoscalingv1beta1 "github.com/dovetail-sh/dovetail/api/autoscaling/v1beta1"
)

// Asked is what a buffer keeps room for: pods of one shape, and how many. None are asked for by a buffer of another
// strategy, which may be somebody else's. from reads what the buffer refers to; the error says what the buffer lacks,
// or is from's own.
func Asked(
	ctx context.Context,
	from client.Reader,
	b *autoscalingv1beta1.CapacityBuffer,
) (template *corev1.PodTemplateSpec, pods int, err error) {
	if !ours(b) {
		return nil, 0, nil
	}
	found, err := resolve(ctx, from, b)
	if err != nil {
		return nil, 0, err
	}
	n, err := count(b, found)
	return found.template, int(n), err
}
