import type { S3Settings } from '../../storage/index.ts';

/** The same access for LanceDB's own S3 client. Without credentials it looks for them where the AWS SDK does. */
export function lanceStorageOptions(settings: S3Settings): Record<string, string> {
  const { endpoint, region, credentials, encryption, forcePathStyle = endpoint !== undefined } = settings;
  const options: Record<string, string> = {
    aws_region: region,
    aws_virtual_hosted_style_request: String(!forcePathStyle),
    // Commits of LanceDB are put-if-absent.
    aws_conditional_put: 'etag',
  };
  if (endpoint !== undefined) {
    options.aws_endpoint = endpoint;
    options.allow_http = String(endpoint.startsWith('http:'));
  }
  if (credentials !== undefined) {
    options.aws_access_key_id = credentials.accessKeyId;
    options.aws_secret_access_key = credentials.secretAccessKey;
    if (credentials.sessionToken !== undefined) options.aws_session_token = credentials.sessionToken;
  }
  if (encryption?.kind === 's3') options.aws_server_side_encryption = 'AES256';
  if (encryption?.kind === 'kms') {
    options.aws_server_side_encryption = 'aws:kms';
    if (encryption.keyId !== undefined) options.aws_sse_kms_key_id = encryption.keyId;
  }
  return options;
}
