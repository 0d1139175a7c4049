package offline_test

import (
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/translate"
	"github.com/dovetail-sh/dovetail/provider/aws/offline"
)

// BenchmarkPlan plans few pods of usual sizes from all that EC2 sells in a region, on demand and spot: it shows what a
// plan takes because the market is large. The same planner made one before, as in a controller.
func BenchmarkPlan(b *testing.B) {
	market, _, err := offline.Account{}.Types("eu-west-1", &awsv1.EC2NodeClass{})
	if err != nil {
		b.Fatal(err)
	}
	pool := &karpenterv1.NodePool{}
	pool.Name = "default"
	pool.Spec.Template.Spec.NodeClassRef = &karpenterv1.NodeClassReference{Group: "g", Kind: "Class", Name: "default"}
	for _, r := range []shape.Requirement{
		{Key: shape.LabelArch, Values: []string{"amd64"}},
		{Key: shape.LabelCapacityType, Values: []string{shape.OnDemand, shape.Spot}},
	} {
		pool.Spec.Template.Spec.Requirements = append(pool.Spec.Template.Spec.Requirements, translate.Requirement(r))
	}
	for _, pods := range []int{10, 100, 500} {
		b.Run(fmt.Sprintf("pods=%d", pods), func(b *testing.B) {
			s, problems := translate.Snapshot(translate.Objects{
				Pods:      usual(pods),
				NodePools: []*karpenterv1.NodePool{pool},
				Offers:    map[string]*translate.Offer{pool.Name: translate.NewOffer(market, "")}, TrustPools: true,
			}, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
			if len(problems) > 0 {
				b.Fatal(problems[0])
			}
			planner := new(engine.Planner)
			d := planner.Plan(s, engine.DefaultPolicy())
			for b.Loop() {
				d = planner.Plan(s, engine.DefaultPolicy())
			}
			b.ReportMetric(float64(len(d.Open)), "nodes")
			b.ReportMetric(d.Price.Float(), "usd/h")
			b.ReportMetric(float64(d.Counters.Steps), "steps")
			b.ReportMetric(d.Price.Float()/d.Bound.Float(), "price/bound")
		})
	}
}

// usual is pods of ten sizes, as many of each.
func usual(pods int) (out []*corev1.Pod) {
	sizes := [][2]string{
		{"100m", "128Mi"}, {"250m", "512Mi"}, {"500m", "512Mi"}, {"500m", "1Gi"}, {"1", "2Gi"},
		{"1", "4Gi"}, {"2", "2Gi"}, {"2", "8Gi"}, {"4", "16Gi"}, {"50m", "3Gi"},
	}
	for i := range pods {
		size := sizes[i%len(sizes)]
		p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
			Namespace: "default", Name: fmt.Sprintf("web-%d", i), UID: types.UID(fmt.Sprint(i)),
		}}
		p.Spec.Containers = []corev1.Container{{Name: "web", Resources: corev1.ResourceRequirements{
			Requests: corev1.ResourceList{
				corev1.ResourceCPU: resource.MustParse(size[0]), corev1.ResourceMemory: resource.MustParse(size[1]),
			},
		}}}
		out = append(out, p)
	}
	return out
}
