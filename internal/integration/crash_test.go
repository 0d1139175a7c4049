package integration

import (
	"encoding/base64"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"text/tabwriter"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/awssim"
)

// everyPoint kills at every write of the day, in every way, and prints a table: `make crash`.
var everyPoint = flag.Bool("crash", false, "kill the controller at every write of the scripted day")

// TestCrash plays a day on the simulated AWS with a controller that is killed again and again. A few minutes'
// worth of points are part of every test run; -crash plays all.
func TestCrash(t *testing.T) {
	t.Parallel()
	if !*everyPoint {
		t.Run("Sample", func(t *testing.T) { playDay(t, &assassin{every: 6, loss: answerLost}, shortDay) })
		return
	}
	rows := []*assassin{{}} // first a day without
	for _, every := range []int{1, 2, 3, 5} {
		rows = append(rows, &assassin{every: every, loss: answerLost})
	}
	for _, every := range []int{2, 3, 5} { // with 1, nothing would ever arrive
		rows = append(rows, &assassin{every: every, loss: requestLost})
	}
	for _, every := range []int{0, 5} {
		slow := &assassin{every: every, loss: answerLost}
		slow.lags("", lateWatches)
		rows = append(rows, slow)
	}
	var days []day
	for _, a := range rows {
		t.Run(
			fmt.Sprintf("Every%d/%s%s", a.every, strings.ReplaceAll(string(a.loss), " ", "-"), a.described()),
			func(t *testing.T) {
				days = append(days, playDay(t, a, wholeDay))
			},
		)
	}
	fmt.Println(report(days))
}

// lateWatches is how late the controller sees what happens on a day when the API server has too much to do.
const lateWatches = 8 * time.Second

// described names the weather of a day that is not fair.
func (w *weather) described() string {
	if late := w.lateBy(""); late > 0 {
		return "-late" + late.String()
	}
	return ""
}

// day is what was measured of one.
type day struct {
	*assassin
	starts   int
	took     time.Duration
	launched int
	failed   bool
}

// stage is a part of the day.
type stage func(*testing.T, *crashed)

var (
	wholeDay = []stage{scaleUp, driftAll, consolidate, interrupt, scaleDown}
	shortDay = []stage{scaleUp, driftAll, interrupt}
)

// crashed is a day under way.
type crashed struct {
	*scene
	pool  *karpenterv1.NodePool
	app   *appsv1.Deployment
	watch *referee
}

func playDay(t *testing.T, a *assassin, stages []stage) day {
	t.Helper()
	v := onAWS(t)
	a.seen, a.killed = map[string]int{}, map[string]int{}
	process := v.process(t, a)
	supervise(t, process)
	s := v.scene(t, "crash")
	if *everyPoint {
		s.patience *= 5 // one write for each start of a process, and a busy machine starts few in a minute
	}
	c := &crashed{scene: s, watch: newReferee(s)}
	began := time.Now()
	stop := c.watch.start(t)
	for _, play := range stages {
		play(t, c)
	}
	stop()
	if wrong := c.leaked(t); wrong != "" {
		t.Error(wrong)
	}
	d := day{
		assassin: a,
		starts:   process.startedTimes(),
		took:     time.Since(began),
		launched: len(v.sim.Status().Instances),
		failed:   t.Failed(),
	}
	t.Logf(
		"%d starts, %d machines launched, %.0f s; writes %v, killed at %v",
		d.starts,
		d.launched,
		d.took.Seconds(),
		a.seen,
		a.killed,
	)
	return d
}

// process is a controller behind the assassin.
func (v *venue) process(t *testing.T, a *assassin) *supervisor {
	t.Helper()
	api := a.between(t, v.plane.Endpoint(), kubeTransport(t, v.own), apiWrite, &a.weather)
	aws := a.between(t, v.sim.URL(), http.DefaultTransport, awsWrite, nil)
	s := &supervisor{
		started: a.restarted,
		env:     []string{"AWS_ENDPOINT_URL=" + aws.URL},
		args: []string{
			"--kubeconfig=" + kubeconfigFor(
				t,
				api.URL,
			),
			"--cluster-name=" + clusterName,
			"--interruption-queue=" + clusterName,
			"--cluster-endpoint=" + v.plane.Endpoint(),
			"--cluster-ca-bundle=" + base64.StdEncoding.EncodeToString(v.plane.Config().CAData),
			"--metrics-port=0",
			"--health-probe-port=0",
			"--disable-leader-election",
			"--batch-idle-duration=200ms",
			"--kube-client-qps=1000",
			"--kube-client-burst=2000",
		},
	}
	a.kill = s.kill
	return s
}

// nodesOfTheDay is how many nodes the guarded pods need, one each.
const nodesOfTheDay = 4

func scaleUp(t *testing.T, c *crashed) {
	c.pool = c.scene.pool(budgets(karpenterv1.Budget{Nodes: "2"}), func(p *karpenterv1.NodePool) {
		p.Spec.Template.Spec.Requirements[2] = in(karpenterv1.CapacityTypeLabelKey, karpenterv1.CapacityTypeSpot)
	})
	c.app = c.scene.app("web", nodesOfTheDay, "1500m")
	one := intstr.FromInt32(1)
	guard := &policyv1.PodDisruptionBudget{ObjectMeta: metav1.ObjectMeta{Namespace: c.name, Name: "web"}}
	guard.Spec.MaxUnavailable, guard.Spec.Selector = &one, c.app.Spec.Selector
	c.create(t, c.pool, guard, c.app)
	c.healthy(t, "web", nodesOfTheDay)
	c.count(t, nodesOfTheDay)
	c.watch.guard("web", nodesOfTheDay-1)
}

func driftAll(t *testing.T, c *crashed) {
	old := c.claimsHere(t)
	c.change(t, c.pool, relabel)
	c.replaced(t, old)
	c.healthy(t, "web", nodesOfTheDay)
	c.count(t, nodesOfTheDay)
}

// consolidate adds small pods, and takes half of them away.
func consolidate(t *testing.T, c *crashed) {
	small := c.scene.app("small", 4, "800m")
	c.create(t, small)
	c.healthy(t, "small", 4)
	c.count(t, nodesOfTheDay+2)
	c.change(t, c.pool, consolidating)
	c.resize(t, small, 2)
	c.count(t, nodesOfTheDay+1)
	c.healthy(t, "small", 2)
	c.resize(t, small, 0)
	c.count(t, nodesOfTheDay)
}

func interrupt(t *testing.T, c *crashed) {
	victim := c.count(t, nodesOfTheDay)[0]
	c.watch.except(victim.Name)
	if err := c.sim.Interrupt(awssim.Target{Node: victim.Status.NodeName}); err != nil {
		t.Fatal(err)
	}
	c.vanished(t, &victim)
	c.healthy(t, "web", nodesOfTheDay)
	c.count(t, nodesOfTheDay)
}

func scaleDown(t *testing.T, c *crashed) {
	c.watch.guard("web", 0)
	c.resize(t, c.app, 0)
	c.count(t, 0)
}

// leaked compares what is paid for with what claims know.
func (c *crashed) leaked(t *testing.T) (wrong string) {
	t.Helper()
	c.until(t, "machines and claims to agree", func() string {
		known := map[string]bool{}
		for _, claim := range c.claimsHere(t) {
			known[claim.Status.ProviderID] = true
		}
		machines := c.machines(t)
		for _, id := range machines {
			if !known[id] {
				return fmt.Sprintf("machine %s has no claim", id)
			}
		}
		if len(machines) != len(known) {
			return fmt.Sprintf("%d machines, %d claims", len(machines), len(known))
		}
		return ""
	})
	return ""
}

// report is a table of all days, and one of where the controller died.
func report(days []day) string {
	var out strings.Builder
	w := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\nKILLED AT\tWHAT WAS LOST\tKILLS\tSECONDS\tMACHINES LAUNCHED\tRESULT")
	points := map[string][3]int{}
	for _, d := range days {
		kills := 0
		for point, n := range d.killed {
			kills += n
			p := points[point]
			if d.loss == answerLost {
				p[0] += n
			} else {
				p[1] += n
			}
			points[point] = p
		}
		result, at, lost := "all invariants held", "every "+strconv.Itoa(d.every)+". write", string(d.loss)
		if d.failed {
			result = "FAILED"
		}
		if d.every == 0 {
			at, lost = "never", ""
		}
		if late := d.lateBy(""); late > 0 {
			at += ", watches " + late.String() + " late"
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%.0f\t%d\t%s\n", at, lost, kills, d.took.Seconds(), d.launched, result)
	}
	fmt.Fprintln(w, "\nPOINT\tANSWER LOST\tREQUEST LOST")
	for _, point := range slices.Sorted(maps.Keys(points)) {
		fmt.Fprintf(w, "%s\t%d\t%d\n", point, points[point][0], points[point][1])
	}
	if err := w.Flush(); err != nil {
		return err.Error()
	}
	return out.String()
}

// TestOutages stops parts of the control plane while pods wait: the controller goes on when they are back.
func TestOutages(t *testing.T) {
	t.Parallel()
	v := onAWS(t)
	supervise(t, v.process(t, &assassin{seen: map[string]int{}, killed: map[string]int{}}))
	s := v.scene(t, "outage")
	app := s.app("web", 1, "1500m")
	s.create(t, s.pool(), app)
	s.healthy(t, "web", 1)

	s.resize(t, app, 2)
	v.signal(t, "kube-apiserver", syscall.SIGKILL) // the playground starts it again
	s.healthy(t, "web", 2)
	s.count(t, 2)

	v.signal(t, "etcd", syscall.SIGSTOP)
	resume := time.AfterFunc(8*time.Second, func() { v.signal(t, "etcd", syscall.SIGCONT) })
	defer resume.Stop()
	s.until(t, "etcd to answer again", func() string {
		before := app.DeepCopy()
		three := int32(3)
		app.Spec.Replicas = &three
		if err := s.Patch(t.Context(), app, client.MergeFrom(before)); err != nil {
			app = before
			return err.Error()
		}
		return ""
	})
	s.healthy(t, "web", 3)
	s.count(t, 3)
	if launched := len(v.sim.Status().Instances); launched != 3 {
		t.Errorf("%d machines were launched for three nodes", launched)
	}
}

// signal sends a signal to a part of the control plane.
func (v *venue) signal(t *testing.T, part string, s syscall.Signal) {
	t.Helper()
	pid := v.plane.Process(t, part)
	process, err := os.FindProcess(pid)
	if err == nil {
		err = process.Signal(s)
	}
	if err != nil {
		t.Errorf("sending %s to %s, process %d: %v", s, part, pid, err)
	}
}
