package terminate

import (
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/dovetail-sh/dovetail/internal/backoff"
)

// retry is how soon a refused eviction is tried again though no budget was seen to change. Some budgets let nothing go
// for days: hundreds of pods that are tried each second leave no calls for anything else. The last is Karpenter's
// figure.
var retry = backoff.Schedule{First: time.Second, Last: 10 * time.Second}

// rememberAtMost bounds how many pods are remembered; past it some are tried too soon.
const rememberAtMost = 10_000

// patience remembers which pods could not be evicted, and until when they are not tried again.
type patience struct {
	mu   sync.Mutex // guards the field below
	pods map[types.UID]refusal
}

type refusal struct {
	namespace, node string
	rest            backoff.Rest
}

// left is how long a pod is left alone yet.
func (p *patience) left(pod *corev1.Pod, now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.pods[pod.UID].rest.Left(now)
}

// refuse notes that a pod could not be evicted, and says how long it is left alone.
func (p *patience) refuse(pod *corev1.Pod, now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pods == nil || len(p.pods) >= rememberAtMost {
		p.pods = map[types.UID]refusal{}
	}
	rest := p.pods[pod.UID].rest.Fail(now, retry)
	p.pods[pod.UID] = refusal{pod.Namespace, pod.Spec.NodeName, rest}
	return rest.Left(now)
}

// forget ends what is remembered of a pod.
func (p *patience) forget(pod *corev1.Pod) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.pods, pod.UID)
}

// end has the refused pods of a namespace tried again at once, and names their nodes. A pod that is refused again is as
// old as it was.
func (p *patience) end(namespace string) (nodes sets.Set[string]) {
	p.mu.Lock()
	defer p.mu.Unlock()
	nodes = sets.New[string]()
	for uid, r := range p.pods {
		if r.namespace == namespace {
			nodes.Insert(r.node)
			r.rest = r.rest.Pause(time.Time{})
			p.pods[uid] = r
		}
	}
	return nodes
}
