// Package image finds the AMIs that an EC2NodeClass selects, and for each instance type the
// one that it starts from.
//
// Answers are kept for a while: what an alias stands for is kept for a day, or until its image is deprecated or gone;
// that it stands for nothing yet, a few minutes; everything else for as long as New is told.
package image

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/clock"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/provider/aws/awserror"
	"github.com/dovetail-sh/dovetail/provider/aws/kept"
	"github.com/dovetail-sh/dovetail/provider/aws/selector"
)

const (
	// pageSize is what DescribeImages is asked for at once; AWS allows up to 1000.
	pageSize = 1000
	// keepPublished is how long the answer for an alias is used.
	keepPublished = 24 * time.Hour
	// keepParameter is how long the answer for a user's own parameter is used, and that there is no such parameter.
	keepParameter = 5 * time.Minute
	// keepDoubted is how long an alias is taken to stand for an image that is deprecated or gone.
	keepDoubted = 30 * time.Minute
)

// defaultOwners are searched for names when a term names no owner.
var defaultOwners = []string{"self", "amazon"}

type ec2API interface {
	DescribeImages(
		context.Context,
		*ec2.DescribeImagesInput,
		...func(*ec2.Options),
	) (*ec2.DescribeImagesOutput, error)
}

type ssmAPI interface {
	GetParameter(context.Context, *ssm.GetParameterInput, ...func(*ssm.Options)) (*ssm.GetParameterOutput, error)
}

// Finder finds AMIs. It is safe for use by many goroutines.
type Finder struct {
	ec2       ec2API
	ssm       ssmAPI
	clock     clock.PassiveClock
	found     *kept.Answers[string, []found]
	published *kept.Answers[string, string] // image ID by parameter of an alias
	doubted   *kept.Answers[string, bool]   // parameters of an alias that were read again because of their image
	own       *kept.Answers[string, string] // image ID by parameter of a user, "" if there is none
	missing   *kept.Answers[string, bool]   // parameters of an alias that are not there
}

// found is one image as EC2 describes it.
type found struct {
	id, name, arch string
	created        string // RFC 3339, so that text order is time order
	deprecated     bool
}

// New makes a Finder that asks EC2 again after keep.
func New(ec2 ec2API, ssm ssmAPI, clock clock.PassiveClock, keep time.Duration) *Finder {
	return &Finder{
		ec2: ec2, ssm: ssm, clock: clock,
		found:     kept.New[string, []found](clock, keep),
		published: kept.New[string, string](clock, keepPublished),
		doubted:   kept.New[string, bool](clock, keepDoubted),
		own:       kept.New[string, string](clock, keepParameter),
		missing:   kept.New[string, bool](clock, keepParameter),
	}
}

// Find lists the AMIs that a class selects on one version of Kubernetes, such as "1.36".
// Where several serve the same types only the best stays: one that is not deprecated, else
// the newest, else the first by name. An alias that cannot be had is an Unsupported error.
func (f *Finder) Find(ctx context.Context, class *awsv1.EC2NodeClass, version string) ([]awsv1.AMI, error) {
	if alias, ok := class.Alias(); ok {
		return f.findAlias(ctx, alias, version)
	}
	all, err := f.describeAll(ctx, queries(class.Spec.AMISelectorTerms))
	if err != nil {
		return nil, err
	}
	for _, term := range class.Spec.AMISelectorTerms {
		if term.SSMParameter == "" {
			continue
		}
		images, err := f.findParameter(ctx, term)
		if err != nil {
			return nil, err
		}
		all = append(all, images...)
	}
	var out []choice
	for _, image := range all {
		if arch, ok := archLabel(image.arch); ok {
			out = append(out, choice{image, []corev1.NodeSelectorRequirement{
				{Key: corev1.LabelArchStable, Operator: corev1.NodeSelectorOpIn, Values: []string{arch}},
			}})
		}
	}
	return best(out), nil
}

func (f *Finder) findAlias(ctx context.Context, alias awsv1.Alias, version string) ([]awsv1.AMI, error) {
	wanted, err := parameters(alias, version)
	if err != nil {
		return nil, err
	}
	ids := map[string][]parameter{}
	for _, p := range wanted {
		id, err := f.publishedAs(ctx, p.path)
		if err != nil {
			return nil, err
		}
		if id != "" {
			ids[id] = append(ids[id], p)
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	images, err := f.describe(
		ctx,
		query{filters: []ec2types.Filter{selector.One("image-id", slices.Sorted(maps.Keys(ids))...)}},
	)
	if err != nil {
		return nil, err
	}
	var out []choice
	good := map[string]bool{}
	for _, image := range images {
		good[image.id] = !image.deprecated
		for _, p := range ids[image.id] {
			out = append(out, choice{image, p.requirements})
		}
	}
	for id, from := range ids {
		if !good[id] {
			f.doubt(from)
		}
	}
	return best(out), nil
}

// publishedAs is the image that a parameter of an alias stands for; "" if there is no such parameter.
func (f *Finder) publishedAs(ctx context.Context, path string) (string, error) {
	if _, ok := f.missing.Peek(path); ok {
		return "", nil
	}
	id, err := f.published.Get(path, func() (string, error) { return f.parameter(ctx, path) })
	if err == nil && id == "" {
		f.published.Forget(path)
		f.missing.Put(path, true)
	}
	return id, err
}

// doubt has parameters read again whose image is deprecated or gone: a newer one may have been published. That is done
// once, and then only now and then.
func (f *Finder) doubt(from []parameter) {
	for _, p := range from {
		if _, lately := f.doubted.Peek(p.path); !lately {
			f.doubted.Put(p.path, true)
			f.published.Forget(p.path)
		}
	}
}

// findParameter finds the image that a user's parameter holds, if the rest of the term is true of it.
func (f *Finder) findParameter(ctx context.Context, term awsv1.AMISelectorTerm) ([]found, error) {
	id, err := f.own.Get(term.SSMParameter, func() (string, error) { return f.parameter(ctx, term.SSMParameter) })
	if err != nil || id == "" || term.ID != "" && term.ID != id {
		return nil, err
	}
	term.ID = id
	return f.describe(ctx, queryOf(term))
}

// parameter reads an image ID from SSM, "" if there is no such parameter.
func (f *Finder) parameter(ctx context.Context, name string) (string, error) {
	out, err := f.ssm.GetParameter(ctx, &ssm.GetParameterInput{Name: awssdk.String(name)})
	if awserror.IsNotFound(err) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("getting SSM parameter %s: %w", name, err)
	}
	if out.Parameter == nil {
		return "", fmt.Errorf("getting SSM parameter %s: the answer is empty", name)
	}
	return strings.TrimSpace(awssdk.ToString(out.Parameter.Value)), nil
}

// query is one call of DescribeImages.
type query struct {
	filters []ec2types.Filter
	owners  []string
}

// queries are the calls whose results together are the answer for terms without alias or
// parameter: one for all IDs, one for each other term.
func queries(terms []awsv1.AMISelectorTerm) []query {
	var out []query
	var ids []string
	for _, term := range terms {
		switch {
		case term.SSMParameter != "":
		case term.ID != "":
			ids = append(ids, term.ID)
		case term.Name != "" || len(term.Tags) > 0:
			out = append(out, queryOf(term))
		}
	}
	if len(ids) > 0 {
		out = append(out, query{filters: []ec2types.Filter{selector.One("image-id", ids...)}})
	}
	return out
}

// queryOf asks for what all that is set in a term is true of.
func queryOf(term awsv1.AMISelectorTerm) query {
	q := query{filters: selector.Tags(term.Tags)}
	if term.ID != "" {
		q.filters = append(q.filters, selector.One("image-id", term.ID))
	}
	if term.Name != "" {
		q.filters = append(q.filters, selector.One("name", term.Name))
		q.owners = defaultOwners
	}
	if term.Owner != "" {
		q.owners = []string{term.Owner}
	}
	return q
}

func (f *Finder) describeAll(ctx context.Context, all []query) ([]found, error) {
	var out []found
	for _, q := range all {
		images, err := f.describe(ctx, q)
		if err != nil {
			return nil, err
		}
		out = append(out, images...)
	}
	return out, nil
}

func (f *Finder) describe(ctx context.Context, q query) ([]found, error) {
	key := strings.Join(q.owners, ",") + selector.Key(q.filters)
	return f.found.Get(key, func() ([]found, error) {
		var out []found
		pages := ec2.NewDescribeImagesPaginator(f.ec2, &ec2.DescribeImagesInput{
			Filters:           append([]ec2types.Filter{selector.One("state", "available")}, q.filters...),
			Owners:            q.owners,
			IncludeDeprecated: awssdk.Bool(true),
			MaxResults:        awssdk.Int32(pageSize),
		})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return nil, fmt.Errorf("describing images: %w", err)
			}
			for _, image := range page.Images {
				out = append(out, read(image, f.clock.Now()))
			}
		}
		return out, nil
	})
}

// archLabel is the label's value for an architecture as EC2 spells it.
func archLabel(arch string) (string, bool) {
	switch arch {
	case string(ec2types.ArchitectureValuesX8664):
		return karpenterv1.ArchitectureAmd64, true
	case string(ec2types.ArchitectureValuesArm64):
		return karpenterv1.ArchitectureArm64, true
	}
	return "", false
}

// choice is an image with what a type must be to run it.
type choice struct {
	image        found
	requirements []corev1.NodeSelectorRequirement
}

// best keeps one image for each set of requirements.
func best(choices []choice) []awsv1.AMI {
	slices.SortStableFunc(choices, func(a, b choice) int {
		return cmp.Or(
			compareBool(a.image.deprecated, b.image.deprecated),
			cmp.Compare(b.image.created, a.image.created),
			cmp.Compare(a.image.name, b.image.name),
			cmp.Compare(a.image.id, b.image.id),
			cmp.Compare(selector.Key(a.requirements), selector.Key(b.requirements)),
		)
	})
	seen := map[string]bool{}
	var out []awsv1.AMI
	for _, c := range choices {
		if key := selector.Key(c.requirements); !seen[key] {
			seen[key] = true
			out = append(
				out,
				awsv1.AMI{
					ID:           c.image.id,
					Name:         c.image.name,
					Deprecated:   c.image.deprecated,
					Requirements: c.requirements,
				},
			)
		}
	}
	return out
}

// compareBool puts false before true.
func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	default:
		return 1
	}
}
