package aws

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/arczonalshift"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/pricing"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"golang.org/x/sync/singleflight"
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

// classGroupKind is the kind of NodeClass that this cloud understands.
var classGroupKind = schema.GroupKind{Group: awsv1.Group, Kind: classKind}

// account is what all parts share: settings, clients, and stores of what AWS answered. It is safe for use by many
// goroutines, and nothing in it changes but inside the stores.
type account struct {
	settings Settings
	client   client.Client // of Kubernetes
	clock    clock.PassiveClock
	region   string
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

	// fresh are machines that EC2 may not list yet, by provider ID: launches put them in, lists add them.
	fresh *kept.Answers[string, provider.Machine]

	// leaving are the reservations of machines that were ended and may be listed still, by instance ID.
	leaving *kept.Answers[string, string]
}

// classes reads EC2NodeClasses, and says what others may know of them.
type classes struct{ *account }

// contents works out what an instance is launched with: launch template, user data and tags.
type contents struct{ *account }

// catalogue is what an EC2NodeClass could launch now and at what price: types, zones, reservations, shortages.
type catalogue struct {
	*account
	classes *classes
	memory  memoryBook

	working singleflight.Group // by key of offers
	priced  atomic.Int64       // when all prices were last read, in seconds since 1970; 0 for never
	mu      sync.Mutex         // guards the field below
	offers  map[string]offers
}

// machines finds, lists, examines and ends instances.
type machines struct {
	*account
	finding *gather.Calls[string, ec2types.Instance]
	ending  *gather.Calls[string, struct{}]
}

// launcher buys machines, each once.
type launcher struct {
	*account
	catalogue *catalogue
	classes   *classes
	contents  *contents
	machines  *machines

	launching singleflight.Group                       // by token
	adopting  *gather.Calls[string, ec2types.Instance] // by token

	mu        sync.Mutex // guards the fields below
	attempts  map[string]attempt
	since     time.Time      // when the first launch began; zero before
	unanswers map[string]int // launches in a row without an answer, by capacity type
}

// validator tries, without launching anything, whether AWS would launch what an EC2NodeClass asks for.
type validator struct {
	*account
	catalogue *catalogue
	contents  *contents
	validated *kept.Answers[string, verdict]
}

// resolver works out the status of EC2NodeClasses, and cleans up after those that are deleted.
type resolver struct {
	*account
	classes   *classes
	validator *validator
}

// drifter says which machines are no longer what their EC2NodeClass asks for.
type drifter struct {
	*account
	catalogue *catalogue
	classes   *classes
	machines  *machines
}

// reserver says which capacity reservation a machine could be in.
type reserver struct {
	*account
	classes  *classes
	machines *machines
}

// inspector checks that the credentials allow what the controller does.
type inspector struct {
	*account
	machines *machines
}

// interruptions reads the queue, and takes note of what AWS says is scarce.
type interruptions struct{ *account }

// assemble makes the parts, those first that others need.
func assemble(d Deps) *Cloud {
	if d.Meter == nil {
		d.Meter = unmetered{}
	}
	apicall.Measure(&d.Config, d.Clock, d.Meter.Called)
	a := newAccount(d)
	classes, contents := &classes{a}, &contents{a}
	catalogue := &catalogue{account: a, classes: classes, offers: map[string]offers{}}
	machines := newMachines(a)
	validator := &validator{
		account:   a,
		catalogue: catalogue,
		contents:  contents,
		validated: kept.New[string, verdict](d.Clock, validationFor),
	}
	launcher := &launcher{
		account: a, catalogue: catalogue, classes: classes, contents: contents, machines: machines,
		attempts: map[string]attempt{}, unanswers: map[string]int{},
	}
	launcher.adopting = gather.New(together, launcher.bought, func(error) bool { return false })
	return &Cloud{
		account: a, catalogue: catalogue, classes: classes, launcher: launcher, machines: machines,
		drifter:       &drifter{account: a, catalogue: catalogue, classes: classes, machines: machines},
		inspector:     &inspector{account: a, machines: machines},
		interruptions: &interruptions{a},
		reserver:      &reserver{account: a, classes: classes, machines: machines},
		resolver:      &resolver{account: a, classes: classes, validator: validator},
		shifted:       d.Shifted,
		idle:          d.Idle,
	}
}

func newAccount(d Deps) *account {
	s, region := d.Settings.withDefaults(), d.Config.Region
	api, identities, parameters := ec2.NewFromConfig(d.Config), iam.NewFromConfig(d.Config), ssm.NewFromConfig(d.Config)
	shifts := arczonalshift.NewFromConfig(d.Config)
	return &account{
		settings: s, client: d.Client, clock: d.Clock, region: region, meter: d.Meter,
		ec2: api, iam: identities, ssm: parameters, shiftAPI: shifts,
		pricing: pricing.NewFromConfig(d.Config, func(o *pricing.Options) {
			o.Region = price.PricingRegion(region)
		}),
		cluster:   newCluster(s, region, eks.NewFromConfig(d.Config), d.Live, d.Clock, d.KubernetesVersion),
		subnets:   subnet.New(api, d.Clock, s.SubnetRefreshInterval),
		groups:    securitygroup.New(api, d.Clock, s.SecurityGroupRefreshInterval),
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
		fresh:     kept.New[string, provider.Machine](d.Clock, settleFor),
		leaving:   kept.New[string, string](d.Clock, leavesWithin),
	}
}

// newMachines asks EC2 about many machines in one call.
func newMachines(a *account) *machines {
	m := &machines{account: a}
	m.finding = gather.New(
		together,
		m.find,
		func(err error) bool { return spoilt(err) && !awserror.IsUnauthorized(err) },
	)
	m.finding.Watch(
		a.clock,
		func(requests int, waited time.Duration) { a.meter.Batched(batchDescribe, requests, waited) },
	)
	m.ending = gather.New(together, m.end, spoilt)
	m.ending.Watch(
		a.clock,
		func(requests int, waited time.Duration) { a.meter.Batched(batchTerminate, requests, waited) },
	)
	return m
}
