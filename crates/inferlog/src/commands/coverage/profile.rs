//! Profiles from a name or a file.

use inferlog_audit::coverage::{Preset, Profiles};

/// A preset's name, else a file of profiles.
pub(super) fn parse(text: &str) -> Result<Profiles, String> {
    if let Some((_, preset)) = Preset::ALL.iter().find(|(name, _)| *name == text) {
        return Ok(Profiles::all(*preset));
    }
    let names = Preset::ALL.map(|(name, _)| name).join(", ");
    let file = std::fs::read_to_string(text)
        .map_err(|error| format!("it is none of {names}, and no file that can be read: {error}"))?;
    let profiles: Profiles = toml::from_str(&file).map_err(|error| error.to_string())?;
    for (system, profile) in &profiles.systems {
        if profile.interventions.is_some_and(|share| !(0.0..=1.0).contains(&share)) {
            return Err(format!("systems.{system}.interventions: write a share from 0 to 1"));
        }
    }
    Ok(profiles)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn a_name_or_a_file() {
        assert!(parse("biometric").is_ok());
        assert!(parse("no-such-profile").unwrap_err().contains("general, human-in-the-loop"));
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_str().unwrap();
        std::fs::write(path, "[systems.triage]\nprofile = \"human-in-the-loop\"\nwithin = \"7d\"\n").unwrap();
        assert_eq!(
            parse(path).unwrap().systems["triage"].within.map(|span| span.0),
            Some(604_800_000_000_000)
        );
        for wrong in
            ["[systems.a]\ninterventions = 2.0", "[systems.a]\nwithin = \"7 days\"", "profil = \"general\""]
        {
            std::fs::write(path, wrong).unwrap();
            assert!(parse(path).is_err(), "{wrong}");
        }
    }
}
