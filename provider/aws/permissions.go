package aws

import (
	"context"
	"fmt"
	"slices"
	"strings"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/arczonalshift"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/pricing"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"github.com/dovetail-sh/dovetail/provider/aws/awserror"
	"github.com/dovetail-sh/dovetail/provider/aws/price"
)

// unnamed is a thing that does not exist, to ask for: AWS says whether we may before it says that there is none.
const unnamed = "dovetail-permission-check"

// checkPermissions tries every permission to read that the settings call for, without reading much, and those to give
// back what is there, and names all that are missing. Permissions to buy are tried for each EC2NodeClass, since they
// depend on its tags.
func (c *inspector) checkPermissions(ctx context.Context) error {
	if c.settings.DisableDryRun {
		return nil
	}
	missing := map[string]bool{}
	for _, try := range append(c.reads(), c.tryTerminate, c.tryReboot, c.templates.TryDelete) {
		if err := try(ctx); awserror.IsUnauthorized(err) {
			missing[awserror.Action(err)] = true
		}
	}
	if len(missing) == 0 {
		return nil
	}
	names := make([]string, 0, len(missing))
	for name := range missing {
		names = append(names, name)
	}
	slices.Sort(names)
	return fmt.Errorf(
		"checking the permissions of the controller's IAM role: it does not allow %s; docs/aws.md has the policy that does",
		strings.Join(names, ", "),
	)
}

// tryTerminate is a dry run on one of the cluster's instances: the permission depends on its tags. Whoever may buy and
// not give back pays for ever.
func (c *inspector) tryTerminate(ctx context.Context) error {
	machines, err := c.machines.Machines(ctx)
	if err != nil || len(machines) == 0 {
		return err
	}
	id, err := instanceOf(machines[0].ProviderID)
	if err != nil {
		return err
	}
	_, err = c.ec2.TerminateInstances(
		ctx,
		&ec2.TerminateInstancesInput{DryRun: awssdk.Bool(true), InstanceIds: []string{id}},
	)
	return err
}

// tryReboot is like tryTerminate, for those who have nodes rebooted.
func (c *inspector) tryReboot(ctx context.Context) error {
	if !c.settings.RebootForRepair {
		return nil
	}
	machines, err := c.machines.Machines(ctx)
	if err != nil || len(machines) == 0 {
		return err
	}
	id, err := instanceOf(machines[0].ProviderID)
	if err != nil {
		return err
	}
	_, err = c.ec2.RebootInstances(
		ctx,
		&ec2.RebootInstancesInput{DryRun: awssdk.Bool(true), InstanceIds: []string{id}},
	)
	return err
}

// reads are the calls that only read, each as a check.
func (c *inspector) reads() []func(context.Context) error {
	out := c.ec2Reads()
	out = append(out,
		func(ctx context.Context) error {
			_, err := c.ssm.GetParameter(ctx, &ssm.GetParameterInput{Name: awssdk.String("/aws/service/" + unnamed)})
			return err
		},
		func(ctx context.Context) error {
			_, err := c.cluster.eks.DescribeCluster(
				ctx,
				&eks.DescribeClusterInput{Name: awssdk.String(c.settings.ClusterName)},
			)
			return err
		})
	if !c.settings.IsolatedVPC {
		out = append(out,
			func(ctx context.Context) error {
				_, err := c.iam.GetInstanceProfile(
					ctx,
					&iam.GetInstanceProfileInput{InstanceProfileName: awssdk.String(unnamed)},
				)
				return err
			},
			func(ctx context.Context) error {
				_, err := c.iam.ListInstanceProfiles(
					ctx,
					&iam.ListInstanceProfilesInput{
						PathPrefix: awssdk.String("/karpenter/"),
						MaxItems:   awssdk.Int32(1),
					},
				)
				return err
			})
		if price.HasPricingAPI(c.region) {
			out = append(out, func(ctx context.Context) error {
				_, err := c.pricing.GetProducts(
					ctx,
					&pricing.GetProductsInput{ServiceCode: awssdk.String("AmazonEC2"), MaxResults: awssdk.Int32(1)},
				)
				return err
			})
		}
	}
	if c.settings.InterruptionQueue != "" {
		out = append(out, c.notices.Reachable)
	}
	if c.settings.ZonalShift {
		out = append(out, func(ctx context.Context) error {
			arn, err := c.cluster.arn(ctx)
			if err != nil {
				return err
			}
			_, err = c.shiftAPI.GetManagedResource(
				ctx,
				&arczonalshift.GetManagedResourceInput{ResourceIdentifier: awssdk.String(arn)},
			)
			return err
		})
	}
	return out
}

// ec2Reads are dry runs.
func (c *inspector) ec2Reads() []func(context.Context) error {
	dry := awssdk.Bool(true)
	out := []func(context.Context) error{
		func(ctx context.Context) error {
			_, err := c.ec2.DescribeInstanceTypes(ctx, &ec2.DescribeInstanceTypesInput{DryRun: dry})
			return err
		},
		func(ctx context.Context) error {
			_, err := c.ec2.DescribeInstanceTypeOfferings(ctx, &ec2.DescribeInstanceTypeOfferingsInput{DryRun: dry})
			return err
		},
		func(ctx context.Context) error {
			_, err := c.ec2.DescribeSubnets(ctx, &ec2.DescribeSubnetsInput{DryRun: dry})
			return err
		},
		func(ctx context.Context) error {
			_, err := c.ec2.DescribeSecurityGroups(ctx, &ec2.DescribeSecurityGroupsInput{DryRun: dry})
			return err
		},
		func(ctx context.Context) error {
			_, err := c.ec2.DescribeImages(ctx, &ec2.DescribeImagesInput{DryRun: dry, Owners: []string{"self"}})
			return err
		},
		func(ctx context.Context) error {
			_, err := c.ec2.DescribeLaunchTemplates(ctx, &ec2.DescribeLaunchTemplatesInput{DryRun: dry})
			return err
		},
		func(ctx context.Context) error {
			_, err := c.ec2.DescribeInstances(ctx, &ec2.DescribeInstancesInput{DryRun: dry})
			return err
		},
		func(ctx context.Context) error {
			_, err := c.ec2.DescribeInstanceStatus(ctx, &ec2.DescribeInstanceStatusInput{DryRun: dry})
			return err
		},
		func(ctx context.Context) error {
			_, err := c.ec2.DescribeSpotPriceHistory(ctx, &ec2.DescribeSpotPriceHistoryInput{DryRun: dry})
			return err
		},
		func(ctx context.Context) error {
			_, err := c.ec2.DescribePlacementGroups(ctx, &ec2.DescribePlacementGroupsInput{DryRun: dry})
			return err
		},
	}
	if c.settings.ReservedCapacity {
		out = append(out, func(ctx context.Context) error {
			_, err := c.ec2.DescribeCapacityReservations(ctx, &ec2.DescribeCapacityReservationsInput{DryRun: dry})
			return err
		})
	}
	return out
}
