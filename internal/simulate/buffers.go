package simulate

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/types"

	"github.com/dovetail-sh/dovetail/internal/controller/buffer"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

// addBuffers adds the pods that stand in for CapacityBuffers, as the controller plans them.
func (p *Prepared) addBuffers() error {
	world := translate.WorldOf(p.objects)
	total := 0
	for _, b := range p.input.Set.CapacityBuffers {
		name := types.NamespacedName{Namespace: b.Namespace, Name: b.Name}
		template, n, err := buffer.Asked(context.Background(), p.input.Set, b)
		switch {
		case err != nil && !p.input.Lenient:
			return fmt.Errorf("CapacityBuffer %s: %w", name, err)
		case err != nil:
			p.note(fmt.Sprintf("CapacityBuffer %s is left out: %v", name, err))
			continue
		case template == nil:
			p.note(fmt.Sprintf("CapacityBuffer %s is left out: its provisioningStrategy is not known here", name))
			continue
		}
		pod := translate.VirtualPod(name, template)
		pod.CreationTimestamp = b.CreationTimestamp
		if err := world.Admit(pod); err != nil {
			p.note(fmt.Sprintf("CapacityBuffer %s: an API server would refuse its template's pods: %v", name, err))
		}
		for i := range n {
			one := *pod
			one.Name = translate.VirtualName(b.Name, i)
			p.objects.Pods = append(p.objects.Pods, &one)
		}
		total += n
	}
	if total > 0 {
		p.note(
			fmt.Sprintf(
				"CapacityBuffers count, with %d pods that stand in for them; the controller needs feature gate "+
					"CapacityBuffer for that",
				total,
			),
		)
	}
	return nil
}
