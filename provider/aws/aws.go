package aws

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/provider"
	"github.com/dovetail-sh/dovetail/provider/aws/awserror"
	"github.com/dovetail-sh/dovetail/provider/aws/inventory"
	"github.com/dovetail-sh/dovetail/provider/aws/price"
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

	// Shifted is told the ID of a zone, such as use1-az1, when the cluster's traffic was shifted away from it and when
	// it is back. nil means that nobody is told.
	Shifted func(ctx context.Context, zoneID string, away bool)

	// Meter is told what the cloud does. nil means that nobody is told.
	Meter Meter

	Settings Settings

	// Idle is told once a minute of the capacity reservations of the account that have room left; nil if nobody wants
	// to know.
	Idle func(ctx context.Context, idle []IdleReservation)
}

// Cloud is the provider.Cloud: its parts, and what they share. The parts have the methods; none knows the Cloud.
type Cloud struct {
	*account
	*catalogue
	*classes
	*drifter
	*inspector
	*interruptions
	*launcher
	*machines
	*reserver
	*resolver
	shifted func(ctx context.Context, zoneID string, away bool) // nil if nobody is told
	idle    func(ctx context.Context, idle []IdleReservation)   // nil if nobody is told
}

var (
	_ provider.Cloud     = (*Cloud)(nil)
	_ provider.Explainer = (*Cloud)(nil)
	_ provider.Rebooter  = (*Cloud)(nil)
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

// reach checks that EC2 answers and that the credentials allow to read.
func (c *Cloud) reach(ctx context.Context) error {
	_, err := c.ec2.DescribeInstanceTypes(ctx, &ec2.DescribeInstanceTypesInput{DryRun: awssdk.Bool(true)})
	switch {
	case err == nil || awserror.IsDryRunPassed(err):
		return nil
	case awserror.IsUnauthorized(err):
		return fmt.Errorf(
			"asking EC2 in %s: the credentials do not allow ec2:DescribeInstanceTypes; check the controller's IAM role: %w",
			c.region,
			err,
		)
	default:
		return fmt.Errorf("asking EC2 in %s: check credentials, region and network: %w", c.region, err)
	}
}

// Name is "aws".
func (c *Cloud) Name() string { return "aws" }

// ClassKinds is EC2NodeClass.
func (c *Cloud) ClassKinds() []schema.GroupKind {
	return []schema.GroupKind{classGroupKind}
}

// LabelRules are those of EC2NodeClasses.
func (c *Cloud) LabelRules() karpenterv1.LabelRules { return awsv1.LabelRules() }

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
		tasks = append(
			tasks,
			provider.Task{Name: "instanceprofile.garbagecollection", Every: profilesEvery, Run: c.collectProfiles},
		)
	}
	if c.settings.ZonalShift {
		tasks = append(
			tasks,
			provider.Task{Name: "zonalshift", Every: shiftsEvery, Run: c.followShifts, Standby: true},
		)
	}
	if c.settings.ReservedCapacity {
		tasks = append(tasks, provider.Task{Name: "providers.capacityreservation", Every: idleEvery, Run: c.findIdle})
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
func (c *catalogue) refreshPrices(ctx context.Context) error {
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
	err := errors.Join(listing, onDemand, spot)
	if err == nil {
		c.priced.Store(c.clock.Now().Unix())
	}
	return err
}

// PricesAt is since when prices are AWS's; the zero time while they are those that are built in.
func (c *catalogue) PricesAt() time.Time {
	if at := c.priced.Load(); at != 0 {
		return time.Unix(at, 0)
	}
	return time.Time{}
}
