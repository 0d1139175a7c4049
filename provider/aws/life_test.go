package aws

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	"github.com/dovetail-sh/dovetail/awssim/fault"
	"github.com/dovetail-sh/dovetail/provider"
	"github.com/dovetail-sh/dovetail/provider/aws/awserror"
	"github.com/dovetail-sh/dovetail/provider/aws/inventory"
)

// faultyCalls is how often in a row a call goes wrong. The SDK's own retries are off.
const faultyCalls = 2

// triedZones is in how many zones an EC2NodeClass is tried: those with a subnet.
const triedZones = 3

// tries is how often a step may be tried until it must have come through, and pause the time between.
const (
	tries = 8
	pause = 21 * time.Second
)

// faultBench is an account that sells few types, so that a life is short.
type faultBench struct {
	*bench
	trouble *trouble
}

func newFaultBench(t *testing.T) *faultBench {
	t.Helper()
	b := newBenchWith(t, Settings{
		ClusterName:             clusterName,
		VMMemoryOverheadPercent: 0.075,
		InterruptionQueue:       clusterName,
		ReservedCapacity:        true,
		ZonalShift:              true,
	})
	if err := b.kube.Delete(t.Context(), b.classNamed(t, "default")); err != nil {
		t.Fatal(err)
	}
	if err := b.resolve(t, "default"); err != nil {
		t.Fatal(err)
	}
	return &faultBench{b, b.withTrouble(t)}
}

// some sells the types that a filter lets through.
type some struct {
	*ec2.Client
	types ec2types.Filter
}

var fewTypes = ec2types.Filter{
	Name:   awssdk.String("instance-type"),
	Values: []string{"c5.large", "m5.large", "m6g.large", "t3.large"},
}

func (s some) DescribeInstanceTypes(
	ctx context.Context,
	in *ec2.DescribeInstanceTypesInput,
	o ...func(*ec2.Options),
) (*ec2.DescribeInstanceTypesOutput, error) {
	asked := *in
	asked.Filters = append(slices.Clone(in.Filters), s.types)
	return s.Client.DescribeInstanceTypes(ctx, &asked, o...)
}

func (s some) DescribeInstanceTypeOfferings(
	ctx context.Context,
	in *ec2.DescribeInstanceTypeOfferingsInput,
	o ...func(*ec2.Options),
) (*ec2.DescribeInstanceTypeOfferingsOutput, error) {
	asked := *in
	asked.Filters = append(slices.Clone(in.Filters), s.types)
	return s.Client.DescribeInstanceTypeOfferings(ctx, &asked, o...)
}

// life is one class and one node, from the controller's start to the class's end, during which one call goes wrong.
type life struct {
	*faultBench
	n          int // tells the lives on one bench apart
	step, call string
	kind       fault.Kind

	attempts int    // claims that were made
	machine  string // provider ID
	told     string // where a user first reads of the fault
}

// steps are what a life consists of. Each is tried until it has no error; told is where its error comes to be read.
var steps = []struct {
	name string
	do   func(*life, context.Context) error
	told func(l *life, ctx context.Context, err error) string
}{
	{"start", (*life).start, in("exit")},
	{"class", (*life).makeClass, (*life).conditions},
	{"work", (*life).work, (*life).regular},
	{"launch", (*life).launchOne, (*life).launched},
	{"look", (*life).look, (*life).regular},
	{"notice", (*life).listen, (*life).regular},
	{"end", (*life).end, in("FailedTermination")},
	{"delete", (*life).deleteClass, (*life).conditions},
}

func in(place string) func(*life, context.Context, error) string {
	return func(*life, context.Context, error) string { return place }
}

func (l *life) String() string { return fmt.Sprintf("%s of %s in step %s", l.kind, l.call, l.step) }

func (l *life) live(t *testing.T) {
	t.Helper()
	for _, s := range steps {
		struck := func() int { return 1 }
		if s.name == l.step {
			l.clock.Step(2 * time.Minute) // what is kept of subnets and images is too old
			struck = l.spoil(t)
		}
		var err error
		for range tries {
			if err = s.do(l, t.Context()); err == nil {
				break
			}
			if s.name == l.step && l.told == "" && !errors.Is(err, errNotYet) {
				l.told = s.told(l, t.Context(), err)
			}
			l.clock.Step(pause)
		}
		switch {
		case err != nil:
			t.Fatalf("%s: step %s does not come through: %v", l, s.name, err)
		case struck() == 0:
			t.Fatalf("%s: the call was never made", l)
		case s.name == "launch" && l.alive() != 1:
			t.Fatalf("%s: %d machines after one launch", l, l.alive())
		}
	}
	if left := l.left(t); len(left) > 0 {
		t.Fatalf("%s: left behind: %v", l, left)
	}
}

// spoil makes the next calls go wrong and returns how to count those that did. Time-outs are made here, since to wait
// for real ones takes long; everything else is made by the simulated AWS.
func (l *life) spoil(t *testing.T) func() int {
	t.Helper()
	service, action, _ := strings.Cut(l.call, ":")
	if l.kind == fault.Timeout {
		var hits atomic.Int32
		l.trouble.on(action, func(r request) (*http.Response, error) {
			if hits.Add(1) > faultyCalls {
				return r.pass()
			}
			return unreachable(r)
		})
		return func() int {
			l.trouble.on(action, nil)
			return int(hits.Load())
		}
	}
	count := faultyCalls
	if l.kind == fault.AccessDenied && action == "RunInstances" {
		count *= triedZones // what is denied in one zone is tried in the next
	}
	rule, err := l.sim.Faults().Add(fault.Rule{Kind: l.kind, Service: service, Action: action, Count: count})
	if err != nil {
		t.Fatal(err)
	}
	return func() int {
		hits := 0
		for _, r := range l.sim.Faults().List() {
			if r.ID == rule.ID {
				hits = r.Hits
			}
		}
		if err := l.sim.Faults().Clear(); err != nil {
			t.Fatal(err)
		}
		return hits
	}
}

// errNotYet is for steps that only need more time.
var errNotYet = errors.New("not yet")

// start makes a new process of the controller.
func (l *life) start(ctx context.Context) error {
	c, err := New(ctx, l.deps)
	if err != nil {
		return err
	}
	c.inventory = inventory.New(some{c.ec2, fewTypes})
	l.Cloud = c
	return nil
}

func (l *life) className() string { return fmt.Sprintf("class-%d", l.n) }

func (l *life) makeClass(ctx context.Context) error {
	class := nodeClass(l.className(), func(c *awsv1.EC2NodeClass) {
		c.Spec.CapacityReservationSelectorTerms = []awsv1.CapacityReservationSelectorTerm{
			{Tags: map[string]string{"team": "red"}},
		}
	})
	if l.call == "ec2:DescribePlacementGroups" {
		if err := l.placeApart(ctx, class); err != nil {
			return err
		}
	}
	if err := l.kube.Create(ctx, class); client.IgnoreAlreadyExists(err) != nil {
		return err
	}
	if _, err := l.ResolveClass(ctx, ref(l.className())); err != nil {
		return err
	}
	if err := l.kube.Get(ctx, client.ObjectKeyFromObject(class), class); err != nil {
		return err
	}
	if !ready(class) {
		return fmt.Errorf("class not ready: %+v", class.Status.Conditions)
	}
	return nil
}

// placeApart has the class's instances in a placement group, which the lives on one bench share.
func (l *life) placeApart(ctx context.Context, class *awsv1.EC2NodeClass) error {
	name := "apart"
	_, err := l.ec2.CreatePlacementGroup(
		ctx,
		&ec2.CreatePlacementGroupInput{GroupName: &name, Strategy: ec2types.PlacementStrategySpread},
	)
	if err != nil && awserror.Code(err) != "InvalidPlacementGroup.Duplicate" {
		return err
	}
	class.Spec.PlacementGroupSelector = &awsv1.PlacementGroupSelector{Name: &name}
	return nil
}

// conditions finds the condition that says what is wrong with the class: the one that is not True and waits for no
// other.
func (l *life) conditions(ctx context.Context, err error) string {
	class := nodeClass(l.className())
	if l.kube.Get(ctx, client.ObjectKeyFromObject(class), class) != nil {
		return "log"
	}
	rollUp := ""
	for _, c := range class.Status.Conditions {
		switch {
		case c.Status == metav1.ConditionTrue || c.Reason == awsv1.ReasonDependenciesNotReady || c.Message == "" || strings.Contains(c.Message, "RequestID"):
		case c.Type == awsv1.ConditionReady:
			rollUp = c.Reason
		default:
			return c.Type
		}
	}
	if rollUp == reasonCleanup {
		return "Ready"
	}
	return "log"
}

// taskOf is the regular task that makes a call.
var taskOf = map[string]string{
	"ec2:DescribeInstanceTypes":          "providers.instancetype",
	"ec2:DescribeInstanceTypeOfferings":  "providers.instancetype",
	"ec2:DescribeSpotPriceHistory":       "providers.pricing",
	"pricing:GetProducts":                "providers.pricing",
	"arc-zonal-shift:GetManagedResource": "zonalshift",
	"ec2:DescribeLaunchTemplates":        "launchtemplate.garbagecollection",
	"iam:ListInstanceProfiles":           "instanceprofile.garbagecollection",
}

// work does the regular task that is to go wrong, if one is.
func (l *life) work(ctx context.Context) error {
	for _, task := range l.Tasks() {
		if l.step == "work" && task.Name == taskOf[l.call] {
			return task.Run(ctx)
		}
	}
	return nil
}

func (l *life) launchOne(ctx context.Context) error {
	c := claim(fmt.Sprintf("general-%d-%d", l.n, l.attempts), l.className(), oneOf("kubernetes.io/arch", "amd64"))
	c.UID = types.UID(c.Name)
	offered, err := l.InstanceTypes(ctx, ref(l.className()))
	if err != nil {
		return err
	}
	candidates, err := provider.CandidatesFor(c, offered, awsv1.LabelAliases())
	if err != nil {
		return err
	}
	if len(candidates) == 0 {
		l.clock.Step(4 * time.Minute) // all that was short rests
		return errNotYet
	}
	m, err := l.Launch(ctx, provider.Order{Claim: c, Token: string(c.UID), Candidates: candidates})
	if errors.Is(err, provider.ErrNoCapacity) {
		l.attempts++ // the claim is given up, and its pods are planned again
	}
	l.machine = m.ProviderID
	return err
}

// regular is where the outcome of regular work is told: an event that says what is wrong, without what differs each
// time.
func (l *life) regular(_ context.Context, err error) string {
	if said := l.Explain(
		err,
	); said == "" || strings.Contains(said, "RequestID") ||
		strings.Contains(said, "127.0.0.1") {
		return "log"
	}
	return "CloudWorkFailed"
}

// launched is where the outcome of a launch is told.
func (l *life) launched(_ context.Context, err error) string {
	var launch *provider.LaunchError
	switch {
	case errors.As(err, &launch):
		return "Launched: " + launch.Reason
	case errors.Is(err, provider.ErrNoCapacity):
		return "InsufficientCapacityError"
	}
	return "log"
}

func (l *life) look(ctx context.Context) error {
	all, err := l.Machines(ctx)
	if err != nil {
		return err
	}
	if len(all) != 1 {
		return fmt.Errorf("%d machines are listed", len(all))
	}
	if _, err := l.Machine(ctx, l.machine); err != nil {
		return err
	}
	_, err = l.Diagnose(ctx)
	return err
}

// listen reads and deletes the messages that tell of the machine's beginning.
func (l *life) listen(ctx context.Context) error {
	if l.told == "" {
		l.clock.Step(pause) // it begins to run
	}
	notices, err := l.Notices(ctx)
	if err != nil {
		return err
	}
	for _, n := range notices {
		if err := l.Done(ctx, n); err != nil {
			return err
		}
	}
	if len(notices) == 0 {
		return errNotYet
	}
	return nil
}

func (l *life) end(ctx context.Context) error {
	if err := l.Terminate(ctx, l.machine); !errors.Is(err, provider.ErrNotFound) {
		return errors.Join(err, errIf(err == nil))
	}
	return nil
}

func errIf(waiting bool) error {
	if waiting {
		return errNotYet
	}
	return nil
}

func (l *life) deleteClass(ctx context.Context) error {
	class := nodeClass(l.className())
	err := l.kube.Get(ctx, client.ObjectKeyFromObject(class), class)
	if err == nil && class.DeletionTimestamp == nil {
		err = l.kube.Delete(ctx, class)
	}
	if err != nil {
		return client.IgnoreNotFound(err)
	}
	if _, err := l.ResolveClass(ctx, ref(l.className())); err != nil && !errors.Is(err, provider.ErrClassNotFound) {
		return err
	}
	if err := l.kube.Get(ctx, client.ObjectKeyFromObject(class), class); err == nil {
		return errNotYet
	}
	return nil
}

// alive is how many instances run or are about to.
func (l *life) alive() int {
	n := 0
	for _, i := range l.sim.Status().Instances {
		if i.State == "pending" || i.State == "running" {
			n++
		}
	}
	return n
}

// left is what of ours is still in AWS.
func (l *life) left(t *testing.T) []string {
	t.Helper()
	var out []string
	if n := l.alive(); n > 0 {
		out = append(out, fmt.Sprintf("%d instances", n))
	}
	if n := l.sim.Status().Templates; n > 0 {
		out = append(out, fmt.Sprintf("%d launch templates", n))
	}
	profiles, err := l.iam.ListInstanceProfiles(
		t.Context(),
		&iam.ListInstanceProfilesInput{PathPrefix: awssdk.String("/karpenter/")},
	)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(profiles.InstanceProfiles); n > 0 {
		out = append(out, fmt.Sprintf("%d instance profiles", n))
	}
	return out
}
