// Package launchtemplate makes the EC2 launch templates that machines start from, once for
// each different content, and clears away those that nobody uses any more.
//
// A template's name follows from its content, so that it is found again by every process of
// the cluster and after every restart, and never changes once it is there. Templates are kept
// for a day after their last use: making them anew at each launch costs calls and quota.
package launchtemplate

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"golang.org/x/sync/singleflight"
	"k8s.io/utils/clock"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	"github.com/dovetail-sh/dovetail/provider/aws/awserror"
	"github.com/dovetail-sh/dovetail/provider/aws/selector"
)

const (
	// trustFor is how long a template that was seen is taken to be there still.
	trustFor = 10 * time.Minute
	// keepUnused is how long a template stays after its last use.
	keepUnused = 24 * time.Hour
	// pageSize is what DescribeLaunchTemplates is asked for at once; AWS's upper limit.
	pageSize = 200
)

type api interface {
	CreateLaunchTemplate(
		context.Context,
		*ec2.CreateLaunchTemplateInput,
		...func(*ec2.Options),
	) (*ec2.CreateLaunchTemplateOutput, error)
	DeleteLaunchTemplate(
		context.Context,
		*ec2.DeleteLaunchTemplateInput,
		...func(*ec2.Options),
	) (*ec2.DeleteLaunchTemplateOutput, error)
	ec2.DescribeLaunchTemplatesAPIClient
}

// Store makes and removes templates. It is safe for use by many goroutines.
type Store struct {
	api     api
	clock   clock.PassiveClock
	cluster string

	making singleflight.Group // by name: templates of different content do not wait for each other

	mu        sync.Mutex // guards the fields below
	seen      map[string]time.Time
	used      map[string]time.Time
	collected time.Time // when unused templates were first looked for; zero before
}

// New makes a Store for a cluster's templates.
func New(api api, clock clock.PassiveClock, cluster string) *Store {
	return &Store{
		api: api, clock: clock, cluster: cluster,
		seen: map[string]time.Time{}, used: map[string]time.Time{},
	}
}

// Name is the name that a content's template has.
func Name(c Content) (string, error) {
	text, err := json.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("hashing a launch template: %w", err)
	}
	sum := sha256.Sum256(text)
	return fmt.Sprintf("%s/%d", awsv1.LaunchTemplateNamePrefix, binary.BigEndian.Uint64(sum[:8])), nil
}

// Ensure returns the name of the template with this content, and makes it if there is none.
func (s *Store) Ensure(ctx context.Context, c Content) (string, error) {
	name, err := Name(c)
	if err != nil {
		return "", err
	}
	if s.touch(name) {
		return name, nil
	}
	_, err, _ = s.making.Do(name, func() (any, error) { return nil, s.make(ctx, name, c) })
	if err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen[name] = s.clock.Now()
	return name, nil
}

// touch notes a use and reports whether the template is known to be there.
func (s *Store) touch(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used[name] = s.clock.Now()
	at, ok := s.seen[name]
	return ok && s.clock.Since(at) < trustFor
}

func (s *Store) make(ctx context.Context, name string, c Content) error {
	found, err := s.api.DescribeLaunchTemplates(
		ctx,
		&ec2.DescribeLaunchTemplatesInput{LaunchTemplateNames: []string{name}},
	)
	if err == nil && len(found.LaunchTemplates) > 0 {
		return nil
	}
	if err != nil && !awserror.IsNotFound(err) {
		return fmt.Errorf("describing launch template %s: %w", name, err)
	}
	_, err = s.api.CreateLaunchTemplate(ctx, Input(name, c))
	if err != nil && !awserror.IsAlreadyExists(err) {
		return fmt.Errorf("creating launch template %s: %w", name, err)
	}
	return nil
}

// Input is the call that makes a template.
func Input(name string, c Content) *ec2.CreateLaunchTemplateInput {
	return &ec2.CreateLaunchTemplateInput{
		LaunchTemplateName: awssdk.String(name),
		LaunchTemplateData: c.data(),
		TagSpecifications: []ec2types.TagSpecification{
			{ResourceType: ec2types.ResourceTypeLaunchTemplate, Tags: Tags(c.Tags)},
		},
	}
}

// Forget makes the next Ensure look again: AWS said that the template is gone.
func (s *Store) Forget(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.seen, name)
}

// DeleteOf removes all templates of an EC2NodeClass.
func (s *Store) DeleteOf(ctx context.Context, class string) error {
	return s.delete(
		ctx,
		func(ec2types.LaunchTemplate) bool { return true },
		append(s.ours(), selector.One("tag:"+awsv1.NodeClassTagKey, class))...)
}

// Collect removes the cluster's templates that have not been used for a day. Only a leader may call it: what another
// process used before it led is not known, and counts from the first call.
func (s *Store) Collect(ctx context.Context) error {
	s.mu.Lock()
	if s.collected.IsZero() {
		s.collected = s.clock.Now()
	}
	s.mu.Unlock()
	return s.delete(ctx, s.unused, s.ours()...)
}

// ours selects the cluster's templates that were made for nodes. The cluster's tag alone may be on a user's own.
func (s *Store) ours() []ec2types.Filter {
	return []ec2types.Filter{
		selector.One(
			"tag:"+awsv1.EKSClusterNameTagKey,
			s.cluster,
		),
		selector.One("tag-key", awsv1.NodePoolTagKey),
		selector.One("tag-key", awsv1.NodeClassTagKey),
	}
}

func (s *Store) unused(t ec2types.LaunchTemplate) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	last := s.collected // the leader before this one may have used it until then
	for _, at := range []time.Time{awssdk.ToTime(t.CreateTime), s.used[awssdk.ToString(t.LaunchTemplateName)]} {
		if at.After(last) {
			last = at
		}
	}
	return s.clock.Since(last) >= keepUnused
}

func (s *Store) delete(
	ctx context.Context,
	which func(ec2types.LaunchTemplate) bool,
	filters ...ec2types.Filter,
) error {
	var errs []error
	pages := ec2.NewDescribeLaunchTemplatesPaginator(
		s.api,
		&ec2.DescribeLaunchTemplatesInput{Filters: filters, MaxResults: awssdk.Int32(pageSize)},
	)
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return errors.Join(
				append(errs, fmt.Errorf("listing launch templates of cluster %s: %w", s.cluster, err))...)
		}
		for _, t := range page.LaunchTemplates {
			if which(t) {
				errs = append(errs, s.deleteOne(ctx, awssdk.ToString(t.LaunchTemplateName)))
			}
		}
	}
	return errors.Join(errs...)
}

// TryDelete is a dry run of deleting one of the cluster's templates, if there is any: the permission depends on its
// tags.
func (s *Store) TryDelete(ctx context.Context) error {
	found, err := s.api.DescribeLaunchTemplates(ctx, &ec2.DescribeLaunchTemplatesInput{
		Filters: s.ours(), MaxResults: awssdk.Int32(1),
	})
	if err != nil || len(found.LaunchTemplates) == 0 {
		return err
	}
	_, err = s.api.DeleteLaunchTemplate(
		ctx,
		&ec2.DeleteLaunchTemplateInput{
			DryRun:             awssdk.Bool(true),
			LaunchTemplateName: found.LaunchTemplates[0].LaunchTemplateName,
		},
	)
	return err
}

func (s *Store) deleteOne(ctx context.Context, name string) error {
	s.Forget(name)
	_, err := s.api.DeleteLaunchTemplate(ctx, &ec2.DeleteLaunchTemplateInput{LaunchTemplateName: awssdk.String(name)})
	if err != nil && !awserror.IsNotFound(err) {
		return fmt.Errorf("deleting launch template %s: %w", name, err)
	}
	return nil
}

// Tags are tags in the form of the EC2 API, ascending by key.
func Tags(tags map[string]string) []ec2types.Tag {
	out := make([]ec2types.Tag, 0, len(tags))
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		out = append(out, ec2types.Tag{Key: awssdk.String(key), Value: awssdk.String(tags[key])})
	}
	return out
}
