//! `synod cert`: an authority of the cluster's own, and certificates for its nodes and clients.

use crate::key::write_new;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use std::fs;
use std::path::Path;

/// The authority's name.
const AUTHORITY: &str = "Synod cluster authority";

/// Makes a certificate with a key of its own for each of `hosts`, names and addresses of one host separated by commas. The
/// first names the files `HOST.crt` and `HOST.key` in `directory`. They are signed by the authority there, `ca.crt` and
/// `ca.key`, which is made first if there is none. They do not expire: a new authority keeps out who must not come any more.
/// Also tells which files it wrote.
///
/// # Errors
/// In one line: what is there already, cannot be read or written, or is no name.
pub fn make(directory: &Path, hosts: &[String]) -> Result<Vec<String>, String> {
    let said = |path: &Path, error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    fs::create_dir_all(directory).map_err(|error| said(directory, &error))?;
    let (ca_cert, ca_key) = (directory.join("ca.crt"), directory.join("ca.key"));
    let mut written = Vec::new();
    let mut write = |path: &Path, text: &str, mode: u32| {
        write_new(path, text, mode).map_err(|error| said(path, &error))?;
        written.push(path.display().to_string());
        Ok::<_, String>(())
    };
    let authority = authority().map_err(|error| error.to_string())?;
    let key = if ca_key.exists() {
        let text = fs::read_to_string(&ca_key).map_err(|error| said(&ca_key, &error))?;
        KeyPair::from_pem(&text).map_err(|error| said(&ca_key, &error))?
    } else {
        let key = KeyPair::generate().map_err(|error| error.to_string())?;
        let certificate = authority.self_signed(&key).map_err(|error| error.to_string())?;
        write(&ca_key, &key.serialize_pem(), 0o600)?;
        write(&ca_cert, &certificate.pem(), 0o644)?;
        key
    };
    let issuer = Issuer::new(authority, key);
    for names in hosts {
        let names: Vec<String> = names.split(',').map(str::to_owned).collect();
        let host = &names[0];
        if names.iter().any(String::is_empty) || host == "ca" || host.contains('/') {
            return Err(format!(
                "`{host}` is no name for a certificate; give a host's name or its IP address"
            ));
        }
        let key = KeyPair::generate().map_err(|error| error.to_string())?;
        let certificate = leaf(&names)
            .and_then(|params| params.signed_by(&key, &issuer))
            .map_err(|error| format!("{host}: {error}"))?;
        write(&directory.join(format!("{host}.key")), &key.serialize_pem(), 0o600)?;
        write(&directory.join(format!("{host}.crt")), &certificate.pem(), 0o644)?;
    }
    Ok(written)
}

/// The authority's certificate, before it is signed. It follows from its name and its key alone, so the key is enough to go
/// on signing.
fn authority() -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name.push(DnType::CommonName, AUTHORITY);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}

/// A certificate for a host of these names, good for a node and for a client.
fn leaf(names: &[String]) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, &names[0]);
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    Ok(params)
}
