// Package profile makes the IAM instance profiles that give nodes the role which an
// EC2NodeClass names, and removes them with the class.
package profile

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"k8s.io/utils/clock"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	"github.com/dovetail-sh/dovetail/provider/aws/awserror"
	"github.com/dovetail-sh/dovetail/provider/aws/kept"
)

const (
	// keep is how long a profile that was seen is taken to be there still.
	keep = 15 * time.Minute
	// keepUnused is how old a profile must be to be collected.
	keepUnused = 24 * time.Hour
	// noProfile is how IAM begins to say that the profile is missing and not the role. It does so for a moment after
	// the profile was made; there is one code for both.
	noProfile = "NoSuchEntity: Instance Profile "
	// maxName is how long the name of a profile may be.
	maxName = 128
)

type api interface {
	GetInstanceProfile(
		context.Context,
		*iam.GetInstanceProfileInput,
		...func(*iam.Options),
	) (*iam.GetInstanceProfileOutput, error)
	CreateInstanceProfile(
		context.Context,
		*iam.CreateInstanceProfileInput,
		...func(*iam.Options),
	) (*iam.CreateInstanceProfileOutput, error)
	DeleteInstanceProfile(
		context.Context,
		*iam.DeleteInstanceProfileInput,
		...func(*iam.Options),
	) (*iam.DeleteInstanceProfileOutput, error)
	AddRoleToInstanceProfile(
		context.Context,
		*iam.AddRoleToInstanceProfileInput,
		...func(*iam.Options),
	) (*iam.AddRoleToInstanceProfileOutput, error)
	RemoveRoleFromInstanceProfile(
		context.Context,
		*iam.RemoveRoleFromInstanceProfileInput,
		...func(*iam.Options),
	) (*iam.RemoveRoleFromInstanceProfileOutput, error)
	iam.ListInstanceProfilesAPIClient
}

// RoleNotFound is an error for a role that does not exist.
type RoleNotFound struct{ Role string }

// Error is the message for the EC2NodeClass's condition.
func (r RoleNotFound) Error() string {
	return fmt.Sprintf("IAM role %q does not exist; create it or correct spec.role", r.Role)
}

// Store makes and removes profiles. It is safe for use by many goroutines.
type Store struct {
	api             api
	clock           clock.PassiveClock
	region, cluster string
	ready           *kept.Answers[string, string] // role by profile
}

// New makes a Store for a cluster's profiles.
func New(api api, clock clock.PassiveClock, region, cluster string) *Store {
	return &Store{
		api:     api,
		clock:   clock,
		region:  region,
		cluster: cluster,
		ready:   kept.New[string, string](clock, keep),
	}
}

// Name is the name of the profile for a class and its role. It holds the role, so that a
// change of role gives new nodes another profile and leaves the old ones theirs.
func (s *Store) Name(class *awsv1.EC2NodeClass) string {
	sum := sha256.Sum256([]byte(s.region + "/" + class.Name + "/" + class.Spec.Role))
	suffix := fmt.Sprintf("_%d", binary.BigEndian.Uint64(sum[:8]))
	return s.cluster[:min(len(s.cluster), maxName-len(suffix))] + suffix
}

// path groups the profiles of a class.
func (s *Store) path(class *awsv1.EC2NodeClass) string {
	return fmt.Sprintf("/karpenter/%s/%s/%s/", s.region, s.cluster, class.UID)
}

// Ensure returns the name of the profile that gives the class's role, and makes it if need be. One that the class uses
// already stays, whoever made it for the class: Karpenter names its own otherwise.
func (s *Store) Ensure(ctx context.Context, class *awsv1.EC2NodeClass) (string, error) {
	name, role := s.Name(class), roleName(class.Spec.Role)
	if used := class.Status.InstanceProfile; used != "" && used != name {
		gives, err := s.ready.Get(used, func() (string, error) { return s.given(ctx, class, used) })
		switch {
		case err == nil && gives == role:
			return used, nil
		case err == nil:
			s.ready.Forget(used)
		case !errors.Is(err, errForeign):
			return "", err
		}
	}
	_, err := s.ready.Get(name, func() (string, error) { return role, s.make(ctx, class, name, role) })
	return name, err
}

// errForeign is for a profile that is gone, has no role or was not made for the class.
var errForeign = errors.New("the instance profile is none of the class's")

// given is the role that a profile gives which was made for the class; errForeign if it gives none, or was not.
func (s *Store) given(ctx context.Context, class *awsv1.EC2NodeClass, name string) (string, error) {
	got, err := s.api.GetInstanceProfile(ctx, &iam.GetInstanceProfileInput{InstanceProfileName: awssdk.String(name)})
	switch {
	case awserror.IsNotFound(err):
		return "", errForeign
	case err != nil:
		return "", fmt.Errorf("getting instance profile %s: %w", name, err)
	case got.InstanceProfile == nil || awssdk.ToString(got.InstanceProfile.Path) != s.path(class) ||
		len(got.InstanceProfile.Roles) != 1:
		return "", errForeign
	}
	return awssdk.ToString(got.InstanceProfile.Roles[0].RoleName), nil
}

// Forget makes the next Ensure look again: EC2 said that the profile is gone.
func (s *Store) Forget(name string) { s.ready.Forget(name) }

// roleName is the role without the path that a user may have copied with it.
func roleName(role string) string { return role[strings.LastIndex(role, "/")+1:] }

func (s *Store) make(ctx context.Context, class *awsv1.EC2NodeClass, name, role string) error {
	roles, err := s.roles(ctx, class, name)
	if err != nil {
		return err
	}
	if slices.Contains(roles, role) {
		return nil
	}
	// A profile holds one role.
	for _, other := range roles {
		if err := s.removeRole(ctx, name, other); err != nil {
			return err
		}
	}
	_, err = s.api.AddRoleToInstanceProfile(ctx, &iam.AddRoleToInstanceProfileInput{
		InstanceProfileName: awssdk.String(name), RoleName: awssdk.String(role),
	})
	if awserror.IsNotFound(err) && !strings.HasPrefix(awserror.Text(err), noProfile) {
		return RoleNotFound{role}
	}
	if err != nil {
		return fmt.Errorf("adding role %s to instance profile %s: %w", role, name, err)
	}
	return nil
}

// roles are those that the profile has. The profile is made if there is none.
func (s *Store) roles(ctx context.Context, class *awsv1.EC2NodeClass, name string) ([]string, error) {
	got, err := s.api.GetInstanceProfile(ctx, &iam.GetInstanceProfileInput{InstanceProfileName: awssdk.String(name)})
	if err == nil && got.InstanceProfile == nil {
		return nil, fmt.Errorf("getting instance profile %s: the answer is empty", name)
	}
	if err == nil {
		var roles []string
		for _, r := range got.InstanceProfile.Roles {
			roles = append(roles, awssdk.ToString(r.RoleName))
		}
		return roles, nil
	}
	if !awserror.IsNotFound(err) {
		return nil, fmt.Errorf("getting instance profile %s: %w", name, err)
	}
	_, err = s.api.CreateInstanceProfile(ctx, &iam.CreateInstanceProfileInput{
		InstanceProfileName: awssdk.String(name),
		Path:                awssdk.String(s.path(class)),
		Tags:                s.tags(class),
	})
	if err != nil && !awserror.IsAlreadyExists(err) {
		return nil, fmt.Errorf("creating instance profile %s: %w", name, err)
	}
	return nil, nil
}

func (s *Store) tags(class *awsv1.EC2NodeClass) []iamtypes.Tag {
	all := maps.Clone(class.Spec.Tags)
	if all == nil {
		all = map[string]string{}
	}
	all[awsv1.ClusterTagKeyPrefix+s.cluster] = "owned"
	all[awsv1.EKSClusterNameTagKey] = s.cluster
	all[awsv1.NodeClassTagKey] = class.Name
	all["topology.kubernetes.io/region"] = s.region
	out := make([]iamtypes.Tag, 0, len(all))
	for key, value := range all {
		out = append(out, iamtypes.Tag{Key: awssdk.String(key), Value: awssdk.String(value)})
	}
	slices.SortFunc(out, func(a, b iamtypes.Tag) int { return cmp.Compare(*a.Key, *b.Key) })
	return out
}

// DeleteOf removes all profiles of a class.
func (s *Store) DeleteOf(ctx context.Context, class *awsv1.EC2NodeClass) error {
	return s.deleteUnder(ctx, s.path(class), func(iamtypes.InstanceProfile) bool { return true })
}

// Collect removes the cluster's profiles that are not in use: those whose class is gone, and those that a change of
// role has left behind once no instance has them any more. Profiles that are younger than a day stay, since instances
// may be about to start with them.
func (s *Store) Collect(ctx context.Context, inUse func(class, profile string) bool) error {
	root := fmt.Sprintf("/karpenter/%s/%s/", s.region, s.cluster)
	return s.deleteUnder(ctx, root, func(p iamtypes.InstanceProfile) bool {
		class, _, _ := strings.Cut(strings.TrimPrefix(awssdk.ToString(p.Path), root), "/")
		return s.clock.Since(awssdk.ToTime(p.CreateDate)) >= keepUnused &&
			!inUse(class, awssdk.ToString(p.InstanceProfileName))
	})
}

// deleteUnder removes the profiles under a path that which says, and none of others whatever the server lists.
func (s *Store) deleteUnder(ctx context.Context, path string, which func(iamtypes.InstanceProfile) bool) error {
	var errs []error
	pages := iam.NewListInstanceProfilesPaginator(
		s.api,
		&iam.ListInstanceProfilesInput{PathPrefix: awssdk.String(path)},
	)
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return errors.Join(append(errs, fmt.Errorf("listing instance profiles under %s: %w", path, err))...)
		}
		for _, p := range page.InstanceProfiles {
			// Not every server that speaks IAM's API heeds the prefix.
			if strings.HasPrefix(awssdk.ToString(p.Path), path) && which(p) {
				errs = append(errs, s.delete(ctx, p))
			}
		}
	}
	return errors.Join(errs...)
}

func (s *Store) delete(ctx context.Context, p iamtypes.InstanceProfile) error {
	name := awssdk.ToString(p.InstanceProfileName)
	s.ready.Forget(name)
	for _, r := range p.Roles {
		if err := s.removeRole(ctx, name, awssdk.ToString(r.RoleName)); err != nil {
			return err
		}
	}
	_, err := s.api.DeleteInstanceProfile(
		ctx,
		&iam.DeleteInstanceProfileInput{InstanceProfileName: awssdk.String(name)},
	)
	if err != nil && !awserror.IsNotFound(err) {
		return fmt.Errorf("deleting instance profile %s: %w", name, err)
	}
	return nil
}

func (s *Store) removeRole(ctx context.Context, name, role string) error {
	_, err := s.api.RemoveRoleFromInstanceProfile(ctx, &iam.RemoveRoleFromInstanceProfileInput{
		InstanceProfileName: awssdk.String(name), RoleName: awssdk.String(role),
	})
	if err != nil && !awserror.IsNotFound(err) {
		return fmt.Errorf("removing role %s from instance profile %s: %w", role, name, err)
	}
	return nil
}
