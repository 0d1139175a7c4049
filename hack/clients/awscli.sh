#!/usr/bin/env bash
# A day of the AWS command line on a simulated account: awscli.sh AWS. Every command names its endpoint, and all other
# addresses lead nowhere, so that no call can reach a real account. Prints what did not come out as expected, and counts.
set -euo pipefail
cd "$(dirname "$0")/../.."
aws=$1

work=$(mktemp -d)
trap 'exec {hold}>&- 2>/dev/null || true; rm -rf "$work"' EXIT
go build -o "$work/standalone" ./hack/clients/standalone
mkfifo "$work/in"
"$work/standalone" <"$work/in" >"$work/url" &
exec {hold}>"$work/in" # the account ends when this is closed
until [ -s "$work/url" ]; do kill -0 $! && sleep 0.2; done
url=$(cat "$work/url")

export AWS_ACCESS_KEY_ID=x AWS_SECRET_ACCESS_KEY=x AWS_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1 AWS_PAGER= AWS_MAX_ATTEMPTS=1
export AWS_EC2_METADATA_DISABLED=true HOME=$work HTTPS_PROXY=http://127.0.0.1:9 NO_PROXY=127.0.0.1
played=0 wrong=0 lacking=0

# call ARGS… prints the answer as text.
call() { "$aws" --endpoint-url "$url" --output text "$@"; }

# expect WORD ARGS… plays a command whose answer, or error, must hold WORD. Commands that the client lacks do not count.
expect() {
  local word=$1 answer
  shift
  played=$((played + 1))
  answer=$(call "$@" 2>&1) || true
  if [[ $answer == *"Invalid choice"* || $answer == *"Unknown options"* ]]; then
    lacking=$((lacking + 1)) # the client is older than this call
    return
  fi
  if [[ $answer != *"$word"* ]]; then
    wrong=$((wrong + 1))
    printf 'aws %s\n  does not say %s but: %s\n' "$*" "$word" "${answer:0:400}" >&2
  fi
}

"$aws" --version
cluster=dovetail account=111122223333

# The installation, as docs/aws.md has it.
expect $account sts get-caller-identity --query Account
expect Added eks update-kubeconfig --name $cluster --kubeconfig "$work/kubeconfig"
expect eks-pod-identity-agent eks create-addon --cluster-name $cluster --addon-name eks-pod-identity-agent
expect ResourceInUse eks create-addon --cluster-name $cluster --addon-name eks-pod-identity-agent
expect ACTIVE eks describe-addon --cluster-name $cluster --addon-name eks-pod-identity-agent --query addon.status
for _ in 1 2; do
  expect "" cloudformation deploy --stack-name dovetail-$cluster --template-file deploy/cloudformation/dovetail.yaml \
    --capabilities CAPABILITY_NAMED_IAM --parameter-overrides ClusterName=$cluster
done
expect CREATE_COMPLETE cloudformation describe-stacks --stack-name dovetail-$cluster --query 'Stacks[0].StackStatus'
expect KarpenterNodeRole-$cluster cloudformation describe-stacks --stack-name dovetail-$cluster --query 'Stacks[0].Outputs[].OutputValue'
expect NodeAccess cloudformation list-stack-resources --stack-name dovetail-$cluster --query 'StackResourceSummaries[].LogicalResourceId'
expect CREATE_COMPLETE cloudformation describe-stack-events --stack-name dovetail-$cluster --query 'StackEvents[0].ResourceStatus'
expect kube-system eks list-pod-identity-associations --cluster-name $cluster
expect EC2_LINUX eks describe-access-entry --cluster-name $cluster --principal-arn arn:aws:iam::$account:role/KarpenterNodeRole-$cluster
expect AWSServiceRoleForEC2Spot iam create-service-linked-role --aws-service-name spot.amazonaws.com
expect "has been taken" iam create-service-linked-role --aws-service-name spot.amazonaws.com
expect oidc.eks eks describe-cluster --name $cluster --query cluster.identity.oidc.issuer
((lacking > 0)) || expect API_AND_CONFIG_MAP eks describe-cluster --name $cluster --query cluster.accessConfig.authenticationMode
expect "" iam update-assume-role-policy --role-name KarpenterControllerRole-$cluster --policy-document '{"Version":"2012-10-17","Statement":[{}]}'
subnets=$(call eks describe-cluster --name $cluster --query 'cluster.resourcesVpcConfig.[subnetIds[],clusterSecurityGroupId][]')
expect "" ec2 create-tags --tags Key=karpenter.sh/discovery,Value=$cluster --resources $subnets
expect InProgress eks update-cluster-config --name $cluster --access-config authenticationMode=API --query update.status
expect dkr.ecr ecr create-repository --repository-name dovetail --query repository.repositoryUri
expect simulated ecr get-login-password

# Roles by hand, as tutorials make them.
trust='{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}'
expect arn:aws:iam iam create-role --role-name node --assume-role-policy-document "$trust" --query Role.Arn
expect EntityAlreadyExists iam create-role --role-name node --assume-role-policy-document "$trust"
expect "" iam attach-role-policy --role-name node --policy-arn arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy
expect AmazonEKSWorkerNodePolicy iam list-attached-role-policies --role-name node
expect node iam list-roles --query 'Roles[].RoleName'
expect arn iam create-instance-profile --instance-profile-name node --query InstanceProfile.Arn
expect "" iam add-role-to-instance-profile --instance-profile-name node --role-name node
expect DeleteConflict iam delete-role --role-name node
expect EC2_LINUX eks create-access-entry --cluster-name $cluster --principal-arn arn:aws:iam::$account:role/node --type EC2_LINUX

# What is for sale.
expect us-east-1 ec2 describe-regions --query 'Regions[].RegionName'
expect us-east-1a ec2 describe-availability-zones
expect 4 ec2 describe-instance-types --instance-types m5.xlarge --query 'InstanceTypes[].VCpuInfo.DefaultVCpus'
expect 0 ec2 describe-instance-type-offerings --location-type outpost --query 'length(InstanceTypeOfferings)'
expect Windows ec2 describe-spot-price-history --instance-types m5.large --product-descriptions Windows --max-items 1
expect us-east-1 ec2 get-spot-placement-scores --instance-types m5.large c5.large r5.large --target-capacity 10
expect AmazonEKS pricing describe-services
expect USD pricing get-products --service-code AmazonEC2 --max-items 1 --filters Type=TERM_MATCH,Field=instanceType,Value=m5.large
expect 1152 service-quotas get-service-quota --service-code ec2 --quota-code L-34B43A08
expect 1.36 eks describe-cluster-versions

# Machines.
image=$(call ssm get-parameter --name /aws/service/eks/optimized-ami/1.36/amazon-linux-2023/x86_64/standard/recommended/image_id --query Parameter.Value)
subnet=$(call ec2 describe-subnets --filters Name=availability-zone,Values=us-east-1a Name=tag:karpenter.sh/discovery,Values=$cluster --query 'Subnets[0].SubnetId')
expect ami- ssm get-parameters-by-path --path /aws/service/eks/optimized-ami/1.36/amazon-linux-2023/x86_64/standard/recommended
expect KeyPairId ec2 create-key-pair --key-name mine --output json
id=$(call ec2 run-instances --image-id "$image" --instance-type m5.large --subnet-id "$subnet" --key-name mine --query 'Instances[0].InstanceId')
spot=$(call ec2 run-instances --image-id "$image" --instance-type m5.large --subnet-id "$subnet" --instance-market-options MarketType=spot \
  --tag-specifications 'ResourceType=instance,Tags=[{Key=IntentLabel,Value=apps}]' --query 'Instances[0].InstanceId')
expect "" ec2 wait instance-running --instance-ids "$id" "$spot"
expect applied ec2 describe-instances --instance-ids "$id" --query 'Reservations[].Instances[].MetadataOptions.State'
expect False ec2 describe-instances --instance-ids "$id" --query 'Reservations[].Instances[].EnclaveOptions.Enabled'
expect required ec2 modify-instance-metadata-options --instance-id "$id" --http-tokens required
expect reachability ec2 describe-instance-status --instance-ids "$id" --query 'InstanceStatuses[].InstanceStatus.Details[].Name' # ok in time
expect in-use ec2 describe-volumes --filters Name=attachment.instance-id,Values="$id" --query 'Volumes[].State'
expect "$id" ec2 describe-network-interfaces --filters Name=attachment.instance-id,Values="$id"
expect fulfilled ec2 describe-spot-instance-requests --filters Name=instance-id,Values="$spot"
expect simulated ec2 get-console-output --instance-id "$id"
expect UnsupportedOperation ec2 stop-instances --instance-ids "$spot"
expect stopping ec2 stop-instances --instance-ids "$id"
expect "" ec2 wait instance-stopped --instance-ids "$id"
expect pending ec2 start-instances --instance-ids "$id"
expect shutting-down ec2 terminate-instances --instance-ids "$id"
expect "is not simulated" ec2 describe-snapshots

# An interruption by FIS, and the messages of it.
expect "" cloudformation deploy --stack-name fis --template-file hack/clients/interruption.yaml --capabilities CAPABILITY_IAM
experiment=$(call cloudformation describe-stacks --stack-name fis --query "Stacks[0].Outputs[?OutputKey=='Experiment'].OutputValue")
expect initiating fis start-experiment --experiment-template-id "$experiment" --query experiment.state.status
expect completed fis list-experiments --query 'experiments[].state.status'
queue=$(call sqs get-queue-url --queue-name $cluster --query QueueUrl)
expect "EC2 " sqs receive-message --queue-url "$queue" --max-number-of-messages 10 --query 'Messages[].Body'
expect MessageId sqs send-message-batch --queue-url "$queue" --entries Id=a,MessageBody=x Id=b,MessageBody=y --output json
expect QueueArn sqs get-queue-attributes --queue-url "$queue" --attribute-names All --output json

# Parameters of one's own, sessions, and the end.
expect 1 ssm put-parameter --name /mine/ami --type String --value "$image" --query Version
expect /mine/ami ssm describe-parameters
expect SecretAccessKey sts get-session-token --output json
expect "" cloudformation delete-stack --stack-name fis
expect "" cloudformation delete-stack --stack-name dovetail-$cluster
expect "does not exist" cloudformation describe-stacks --stack-name dovetail-$cluster

echo "$((played - lacking)) commands played, $wrong came out wrong; $lacking are newer than the client"
[ $wrong -eq 0 ]
