package aws

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/aws/aws-sdk-go-v2/service/arczonalshift"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/pricing"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"golang.org/x/sync/singleflight"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	"github.com/dovetail-sh/dovetail/provider"
	"github.com/dovetail-sh/dovetail/provider/aws/apicall"
	"github.com/dovetail-sh/dovetail/provider/aws/awserror"
	"github.com/dovetail-sh/dovetail/provider/aws/gather"
	"github.com/dovetail-sh/dovetail/provider/aws/image"
	"github.com/dovetail-sh/dovetail/provider/aws/inventory"
	"github.com/dovetail-sh/dovetail/provider/aws/kept"
	"github.com/dovetail-sh/dovetail/provider/aws/launchtemplate"
	"github.com/dovetail-sh/dovetail/provider/aws/notices"
	"github.com/dovetail-sh/dovetail/provider/aws/offering"
	"github.com/dovetail-sh/dovetail/provider/aws/placement"
	"github.com/dovetail-sh/dovetail/provider/aws/price"
	"github.com/dovetail-sh/dovetail/provider/aws/profile"
	"github.com/dovetail-sh/dovetail/provider/aws/reservation"
	"github.com/dovetail-sh/dovetail/provider/aws/securitygroup"
	"github.com/dovetail-sh/dovetail/provider/aws/shift"
	"github.com/dovetail-sh/dovetail/provider/aws/subnet"
)

// Intervals of Tasks.
const (
	pricesEvery    = 12 * time.Hour
	inventoryEvery = 12 * time.Hour
	templatesEvery = time.Hour
	memoryEvery    = time.Minute
	profilesEvery  = 30 * time.Minute
	shiftsEvery    = 30 * time.Second

	permissionsEvery = 6 * time.Hour
)

// validationFor is how long a passed dry run is trusted while its inputs stay the same.
const validationFor = 30 * time.Minute

// Deps is what the cloud needs. All but Live, KubernetesVersion, Shifted and Meter are required.
type Deps struct {
	// Config is where credentials, region and endpoint come from. Without a region the
	// instance metadata service is asked.
	Config awssdk.Config

	Client client.Client

	// Live reads past any cache; it finds the cluster's DNS service. nil means Client.
	Live client.Reader

	Clock clock.PassiveClock

	// KubernetesVersion tells the API server's version, such as "1.36". nil means to ask EKS.
	KubernetesVersion func(context.Context) (string, error)

	// Shifted is told the ID of a zone, such as use1-az1, when the cluster's traffic was shifted away from it and when it is
	// back. nil means that nobody is told.
	Shifted func(ctx context.Context, zoneID string, away bool)

	// Meter is told what the cloud does. nil means that nobody is told.
	Meter Meter

	Settings Settings
}

// Cloud is the provider.Cloud.
type Cloud struct {
	settings Settings
	client   client.Client
	clock    clock.PassiveClock
	region   string
	shifted  func(ctx context.Context, zoneID string, away bool)
	meter    Meter

	ec2      *ec2.Client
	iam      *iam.Client
	ssm      *ssm.Client
	pricing  *pricing.Client
	shiftAPI *arczonalshift.Client

	cluster   *cluster
	subnets   *subnet.Finder
	groups    *securitygroup.Finder
	reserved  *reservation.Finder
	placement *placement.Finder
	shifts    *shift.Store
	images    *image.Finder
	inventory *inventory.Store
	prices    *price.Book
	shortage  *offering.Shortage
	templates *launchtemplate.Store
	profiles  *profile.Store
	notices   *notices.Queue
	validated *kept.Answers[string, verdict]
	memory    memoryBook

	// fresh are machines that EC2 may not list yet, by provider ID.
	fresh *kept.Answers[string, provider.Machine]

	launching singleflight.Group // by token
	working   singleflight.Group // by key of offers
	finding   *gather.Calls[string, ec2types.Instance]
	adopting  *gather.Calls[string, ec2types.Instance] // by token
	ending    *gather.Calls[string, struct{}]

	mu       sync.Mutex // guards the fields below
	offers   map[string]offers
	attempts map[string]attempt
	since    time.Time // when the first launch began; zero before

	unanswers map[string]int // launches in a row without an answer, by capacity type
}

var (
	_ provider.Cloud     = (*Cloud)(nil)
	_ provider.Explainer = (*Cloud)(nil)
)

// New checks the settings and that AWS answers, and finds out about the cluster. The error
// names what to correct.
func New(ctx context.Context, d Deps) (*Cloud, error) {
	if d.Client == nil || d.Clock == nil {
		return nil, errors.New("making the AWS cloud: Client and Clock are required")
	}
	if err := d.Settings.Validate(); err != nil {
		return nil, fmt.Errorf("checking the AWS settings: %w", err)
	}
	if d.Live == nil {
		d.Live = d.Client
	}
	d.Config = d.Config.Copy()
	d.Config.HTTPClient = httpClient(d.Config.HTTPClient)
	if err := findRegion(ctx, &d.Config); err != nil {
		return nil, err
	}
	c := assemble(d)
	if err := c.reach(ctx); err != nil {
		return nil, err
	}
	if err := c.cluster.discover(ctx); err != nil {
		return nil, err
	}
	return c, nil
}

func findRegion(ctx context.Context, config *awssdk.Config) error {
	if config.Region != "" {
		return nil
	}
	out, err := imds.NewFromConfig(*config).GetRegion(ctx, &imds.GetRegionInput{})
	if err != nil {
		return fmt.Errorf("finding the AWS region from the instance metadata service: set AWS_REGION: %w", err)
	}
	config.Region = out.Region
	return nil
}

func assemble(d Deps) *Cloud {
	if d.Meter == nil {
		d.Meter = unmetered{}
	}
	apicall.Measure(&d.Config, d.Clock, d.Meter.Called)
	s := d.Settings.withDefaults()
	region := d.Config.Region
	api, identities, parameters := ec2.NewFromConfig(d.Config), iam.NewFromConfig(d.Config), ssm.NewFromConfig(d.Config)
	shifts := arczonalshift.NewFromConfig(d.Config)
	c := &Cloud{
		settings: s, client: d.Client, clock: d.Clock, region: region, shifted: d.Shifted, meter: d.Meter,
		ec2: api, iam: identities, ssm: parameters, shiftAPI: shifts,
		pricing: pricing.NewFromConfig(d.Config, func(o *pricing.Options) {
			o.Region = price.PricingRegion(region)
		}),
		subnets:   subnet.New(api, d.Clock, s.SubnetRefreshInterval),
		groups:    securitygroup.New(api, d.Clock),
		reserved:  reservation.New(api, d.Clock),
		placement: placement.New(api, d.Clock),
		shifts:    shift.New(shifts),
		images:    image.New(api, parameters, d.Clock, s.AMIRefreshInterval),
		inventory: inventory.New(api),
		prices:    price.New(region),
		shortage:  offering.NewShortage(d.Clock),
		templates: launchtemplate.New(api, d.Clock, s.ClusterName),
		profiles:  profile.New(identities, d.Clock, region, s.ClusterName),
		notices:   notices.New(sqs.NewFromConfig(d.Config), s.InterruptionQueue, d.Clock),
		validated: kept.New[string, verdict](d.Clock, validationFor),
		fresh:     kept.New[string, provider.Machine](d.Clock, settleFor),
		offers:    map[string]offers{},
		attempts:  map[string]attempt{},
		unanswers: map[string]int{},
	}
	c.finding = gather.New(together, c.find, func(err error) bool { return spoilt(err) && !awserror.IsUnauthorized(err) })
	c.finding.Watch(d.Clock, func(requests int, waited time.Duration) { c.meter.Batched(batchDescribe, requests, waited) })
	c.adopting = gather.New(together, c.bought, func(error) bool { return false })
	c.ending = gather.New(together, c.end, spoilt)
	c.ending.Watch(d.Clock, func(requests int, waited time.Duration) { c.meter.Batched(batchTerminate, requests, waited) })
	c.cluster = newCluster(s, region, eks.NewFromConfig(d.Config), d.Live, d.Clock, d.KubernetesVersion)
	return c
}

// reach checks that EC2 answers and that the credentials allow to read.
func (c *Cloud) reach(ctx context.Context) error {
	_, err := c.ec2.DescribeInstanceTypes(ctx, &ec2.DescribeInstanceTypesInput{DryRun: awssdk.Bool(true)})
	switch {
	case err == nil || awserror.IsDryRunPassed(err):
		return nil
	case awserror.IsUnauthorized(err):
		return fmt.Errorf("asking EC2 in %s: the credentials do not allow ec2:DescribeInstanceTypes; check the controller's IAM role: %w", c.region, err)
	default:
		return fmt.Errorf("asking EC2 in %s: check credentials, region and network: %w", c.region, err)
	}
}

// Name is "aws".
func (c *Cloud) Name() string { return "aws" }

// ClassKinds is EC2NodeClass.
func (c *Cloud) ClassKinds() []schema.GroupKind {
	return []schema.GroupKind{{Group: awsv1.Group, Kind: classKind}}
}

// RepairPolicies are the conditions of the kubelet and of EKS's node monitoring agent.
func (c *Cloud) RepairPolicies() []provider.RepairPolicy {
	long, short := 30*time.Minute, 10*time.Minute
	return []provider.RepairPolicy{
		{Condition: corev1.NodeReady, Status: corev1.ConditionFalse, After: long},
		{Condition: corev1.NodeReady, Status: corev1.ConditionUnknown, After: long},
		{Condition: "AcceleratedHardwareReady", Status: corev1.ConditionFalse, After: short},
		{Condition: "StorageReady", Status: corev1.ConditionFalse, After: long},
		{Condition: "NetworkingReady", Status: corev1.ConditionFalse, After: long},
		{Condition: "KernelReady", Status: corev1.ConditionFalse, After: long},
		{Condition: "ContainerRuntimeReady", Status: corev1.ConditionFalse, After: long},
	}
}

// Tasks check permissions, refresh prices and instance types, learn from nodes that joined, follow zonal shifts, and
// remove what was made in AWS and nobody uses any more. Those that learn something run in standbys too: a new leader
// plans and moves at once, and must not do so with the catalogue's prices or in a zone that was given up.
func (c *Cloud) Tasks() []provider.Task {
	tasks := []provider.Task{
		{Name: "providers.permissions", Every: permissionsEvery, Run: c.checkPermissions},
		{Name: "providers.pricing", Every: pricesEvery, Run: c.refreshPrices, Standby: true},
		{Name: "providers.instancetype", Every: inventoryEvery, Run: c.inventory.Refresh, Standby: true},
		{Name: "providers.instancetype.capacity", Every: memoryEvery, Run: c.learnMemory, Standby: true},
		{Name: "launchtemplate.garbagecollection", Every: templatesEvery, Run: c.templates.Collect},
	}
	if !c.settings.IsolatedVPC {
		tasks = append(tasks, provider.Task{Name: "instanceprofile.garbagecollection", Every: profilesEvery, Run: c.collectProfiles})
	}
	if c.settings.ZonalShift {
		tasks = append(tasks, provider.Task{Name: "zonalshift", Every: shiftsEvery, Run: c.followShifts, Standby: true})
	}
	return tasks
}

// followShifts finds out from which zones the cluster's traffic was shifted away.
func (c *Cloud) followShifts(ctx context.Context) error {
	arn, err := c.cluster.arn(ctx)
	if err != nil {
		return err
	}
	left, back, err := c.shifts.Refresh(ctx, arn)
	if err != nil || c.shifted == nil {
		return err
	}
	for _, zone := range left {
		c.shifted(ctx, zone, true)
	}
	for _, zone := range back {
		c.shifted(ctx, zone, false)
	}
	return nil
}

// refreshPrices asks for both kinds of prices at once: while one is old and the other new, spot may seem dear or cheap.
func (c *Cloud) refreshPrices(ctx context.Context) error {
	var listing, onDemand, spot error
	var both sync.WaitGroup
	both.Go(func() { spot = c.prices.RefreshSpot(ctx, c.ec2, c.clock.Now()) })
	if !c.settings.IsolatedVPC && price.HasPricingAPI(c.region) {
		var zones []string
		var sold *inventory.List
		if sold, listing = c.inventory.List(ctx); listing == nil {
			zones = sold.AllZones()
		}
		onDemand = c.prices.RefreshOnDemand(ctx, c.pricing, zones)
	}
	both.Wait()
	return errors.Join(listing, onDemand, spot)
}
