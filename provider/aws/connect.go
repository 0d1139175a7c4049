package aws

import (
	"context"
	"fmt"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
)

// Connect finds credentials, region and endpoint as the AWS SDK does: environment, shared
// files, the pod's identity or the instance's role. The result is for Deps.Config.
func Connect(ctx context.Context) (awssdk.Config, error) {
	found, err := config.LoadDefaultConfig(ctx, config.WithAppID("dovetail"))
	if err != nil {
		return awssdk.Config{}, fmt.Errorf("finding AWS credentials and region: %w", err)
	}
	return found, nil
}
