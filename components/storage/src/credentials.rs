//! Keys that are found in the environment and in files where the tools of a cloud put them.

use std::env;
use std::fs;
use std::path::PathBuf;

/// Static keys of S3.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AwsKeys {
    pub access_key: String,
    pub secret_key: String,
    pub session_token: String,
}

/// The first of these environment variables that is not empty.
pub(crate) fn variable(names: &[&str]) -> Option<String> {
    names
        .iter()
        .filter_map(|name| env::var(name).ok())
        .find(|value| !value.is_empty())
}

/// Keys of Amazon's or MinIO's environment variables, or of the shared file. None: the machine or a token has to say.
pub(crate) fn aws_keys() -> Result<Option<AwsKeys>, String> {
    let pair = |access: &[&str], secret: &[&str]| Some((variable(access)?, variable(secret)?));
    let from_environment = pair(
        &["AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY"],
        &["AWS_SECRET_ACCESS_KEY", "AWS_SECRET_KEY"],
    )
    .map(|pair| (pair, variable(&["AWS_SESSION_TOKEN"]).unwrap_or_default()))
    .or_else(|| {
        let pair = pair(
            &["MINIO_ROOT_USER", "MINIO_ACCESS_KEY"],
            &["MINIO_ROOT_PASSWORD", "MINIO_SECRET_KEY"],
        )?;
        Some((pair, String::new()))
    });
    if let Some(((access_key, secret_key), session_token)) = from_environment {
        return Ok(Some(AwsKeys {
            access_key,
            secret_key,
            session_token,
        }));
    }
    let named = variable(&["AWS_SHARED_CREDENTIALS_FILE"]).map(PathBuf::from);
    let usual = || Some(PathBuf::from(variable(&["HOME"])?).join(".aws/credentials"));
    let Some(path) = named.or_else(usual) else {
        return Ok(None);
    };
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        // Not there, or of somebody else's home.
        Err(_) => return Ok(None),
    };
    let profile = variable(&["AWS_PROFILE"]).unwrap_or_else(|| "default".to_owned());
    shared_file(&text, &profile).map_err(|what| format!("{}: {what}", path.display()))
}

/// The keys of a profile in a file like `~/.aws/credentials`.
fn shared_file(text: &str, profile: &str) -> Result<Option<AwsKeys>, String> {
    let mut within = false;
    let (mut access_key, mut secret_key, mut session_token) = (None, None, String::new());
    for line in text.lines().map(str::trim) {
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(section) = line.strip_prefix('[').and_then(|s| s.strip_suffix(']')) {
            within = section.trim() == profile;
            continue;
        }
        let Some((key, value)) = line.split_once('=').filter(|_| within) else {
            continue;
        };
        let value = value.trim().to_owned();
        match key.trim() {
            "aws_access_key_id" => access_key = Some(value),
            "aws_secret_access_key" => secret_key = Some(value),
            "aws_session_token" => session_token = value,
            _ => {}
        }
    }
    match (access_key, secret_key) {
        (Some(access_key), Some(secret_key)) => Ok(Some(AwsKeys {
            access_key,
            secret_key,
            session_token,
        })),
        (None, None) => Ok(None),
        _ => Err(format!("profile {profile} has only half of a key")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_of_the_shared_file() {
        let text = "# mine\n[default]\naws_access_key_id = AK\naws_secret_access_key=S=K\n\n[other]\naws_access_key_id=B\n\
            aws_secret_access_key=C\naws_session_token=T\nregion = x\n[half]\naws_access_key_id=B\n";
        let keys = |a: &str, s: &str, t: &str| {
            Ok(Some(AwsKeys {
                access_key: a.into(),
                secret_key: s.into(),
                session_token: t.into(),
            }))
        };
        assert_eq!(shared_file(text, "default"), keys("AK", "S=K", ""));
        assert_eq!(shared_file(text, "other"), keys("B", "C", "T"));
        assert_eq!(shared_file(text, "none"), Ok(None));
        assert!(shared_file(text, "half").unwrap_err().contains("half"));
    }
}
